// The page: wires the profile, the chart, the methods, the search, the keys and the address.

const KEYS = [
  ['Arrows', 'to the caller, the heaviest callee, the neighbours'],
  ['Enter', 'zoom to the selected frame'],
  ['Backspace', 'zoom out one step'],
  ['Escape', 'leave the search, or zoom out'],
  ['0', 'show all, forget the search'],
  ['+  −', 'zoom in and out around the middle'],
  ['Page Up, Page Down, Home, End', 'scroll'],
  ['/', 'search'],
  ['n  N', 'next and previous hit'],
  ['t', 'methods, or the flame graph'],
  ['d', 'light, dark, or as the system has it'],
  ['?', 'these keys'],
];
const THEMES = ['auto', 'light', 'dark'];
const ZOOM_STEP = 1.5;
// A press that moves less than this many CSS pixels is a click.
const CLICK_MOVES = 4;
const TYPING_PAUSE_MILLIS = 80;

function element(id) {
  return document.getElementById(id);
}

const darkSystem = window.matchMedia('(prefers-color-scheme: dark)');

function resolvedTheme(theme) {
  if (theme !== 'auto') return theme;
  return darkSystem.matches ? 'dark' : 'light';
}

function readAddress() {
  return new URLSearchParams(location.hash.slice(1));
}

class App {
  constructor(profile) {
    this.profile = profile;
    this.view = 'graph';
    this.theme = 'auto';
    this.words = '';
    this.written = null;
    this.drawing = false;
    this.drawn = false;
    this.drag = null;
    this.chart = new Chart(profile, element('canvas'), element('scroller'), element('sheet'));
    this.methods = new MethodsView(profile, () => this.remember(true));
    this.fillHead();
    this.fillLegend();
    this.listen();
    this.apply(readAddress());
  }

  fillHead() {
    const {profile} = this;
    document.title = visible(profile.title);
    element('title').textContent = visible(profile.title);
    element('total').textContent = quantity(profile.total[ROOT], profile.unit);
    for (const note of profile.notes) {
      const item = document.createElement('li');
      item.textContent = visible(note);
      element('notes').append(item);
    }
    for (const [key, meaning] of KEYS) {
      const term = document.createElement('dt');
      term.textContent = key;
      const description = document.createElement('dd');
      description.textContent = meaning;
      element('keys').append(term, description);
    }
  }

  // The kinds that the profile has, each with its share of all values.
  fillLegend() {
    const {profile} = this;
    const present = new Set(profile.frameKind);
    this.swatches = [];
    KINDS.forEach((kind, i) => {
      if (!present.has(i)) return;
      const item = document.createElement('li');
      const swatch = document.createElement('span');
      swatch.className = 'swatch';
      item.append(swatch, `${kind.name} ${percent(profile.ownOfKind[i], profile.total[ROOT])}`);
      item.title = `Share of ${kind.name} at the end of the stacks`;
      element('legend').append(item);
      this.swatches.push({swatch, kind});
    });
  }

  // The state in the address: z a node or r a range of values, s the selected node, q the search,
  // v the view, m a method, theme. Whatever does not fit this profile is passed over.
  apply(state) {
    const {chart, profile} = this;
    const number = (key, limit) => {
      const value = Number(state.get(key) ?? NaN);
      return Number.isInteger(value) && value >= 0 && value < limit ? value : -1;
    };
    const theme = state.get('theme');
    this.theme = THEMES.includes(theme) ? theme : 'auto';
    this.search(state.get('q') ?? '');
    element('search').value = this.words;
    const [from, to] = (state.get('r') ?? '').split('-').map(Number);
    const node = number('z', profile.size);
    if (node >= 0) {
      chart.show(profile.start[node], profile.end(node));
      chart.focus = node;
    } else if (to > from && from >= 0) chart.show(from, to);
    else chart.show(0, profile.total[ROOT]);
    chart.selected = number('s', profile.size);
    this.setView(state.get('v') === 'methods' ? 'methods' : 'graph');
    const method = number('m', profile.names.length - 1);
    if (this.view === 'methods' && method >= 0) {
      this.methods.look(method, false);
      this.methods.list();
    }
    if (chart.selected >= 0) chart.reveal(chart.selected);
    this.setTheme(this.theme);
    this.written = this.address();
  }

  address() {
    const {chart, profile} = this;
    const state = new URLSearchParams();
    if (chart.from > 0 || chart.to < profile.total[ROOT] || chart.focus !== ROOT) {
      const {focus} = chart;
      if (profile.start[focus] === chart.from && profile.end(focus) === chart.to) state.set('z', focus);
      else state.set('r', `${chart.from}-${chart.to}`);
    }
    if (chart.selected >= 0) state.set('s', chart.selected);
    if (this.words !== '') state.set('q', this.words);
    if (this.view === 'methods') {
      state.set('v', 'methods');
      if (this.methods.method >= 0) state.set('m', this.methods.method);
    }
    if (this.theme !== 'auto') state.set('theme', this.theme);
    return state.toString();
  }

  // Writes the state into the address; a step is an entry of the browser's history.
  remember(step) {
    const address = this.address();
    if (address === this.written) return;
    this.written = address;
    if (step) location.hash = address;
    else history.replaceState(null, '', `#${address}`);
  }

  draw() {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.chart.resize();
      this.chart.draw();
      if (!this.drawn) performance.mark('flame-graph-drawn');
      this.drawn = true;
    });
  }

  // After anything the user did to the chart.
  changed(step) {
    this.describe(this.chart.selected);
    this.tellShare();
    this.draw();
    this.remember(step);
  }

  setTheme(theme) {
    this.theme = theme;
    const resolved = resolvedTheme(theme);
    document.documentElement.dataset.theme = resolved;
    element('theme').textContent = `Theme: ${theme}`;
    this.chart.colours = new Colours(this.profile, resolved);
    for (const {swatch, kind} of this.swatches) swatch.style.backgroundColor = css(kind[resolved]);
    this.draw();
  }

  setView(view) {
    this.view = view;
    element('graph').hidden = view !== 'graph';
    element('methods').hidden = view !== 'methods';
    element('show-graph').setAttribute('aria-pressed', String(view === 'graph'));
    element('show-methods').setAttribute('aria-pressed', String(view === 'methods'));
    if (view === 'methods') this.methods.show(this.chart.focus);
    this.hideTooltip();
    this.changed(false);
  }

  toggleView() {
    this.setView(this.view === 'graph' ? 'methods' : 'graph');
    this.remember(true);
    (this.view === 'graph' ? this.chart.canvas : element('method-list')).focus();
  }

  search(words) {
    this.words = words;
    let matches = null;
    this.fault = '';
    try {
      matches = matcher(words);
    } catch (error) {
      this.fault = error.message;
    }
    this.chart.hits = matches === null ? null : new Hits(this.profile, matches);
    this.methods.filter(matches);
    this.tellShare();
  }

  tellShare() {
    const {hits} = this.chart;
    const out = element('share');
    out.classList.toggle('fault', this.fault !== '');
    if (this.fault !== '' || hits === null) {
      out.textContent = this.fault;
      return;
    }
    if (hits.count === 0) {
      out.textContent = 'no hit';
      return;
    }
    const at = hits.current >= 0 && hits.current === this.chart.selected ? `${hits.number(hits.current).toLocaleString('en')} of ` : '';
    out.textContent = `${percent(hits.covered, this.profile.total[ROOT])} in ${at}${hits.count.toLocaleString('en')} ${hits.count === 1 ? 'frame' : 'frames'}`;
  }

  goToHit(step) {
    const {chart} = this;
    if (chart.hits === null) return;
    const node = chart.hits.next(Math.max(ROOT, chart.selected), step);
    if (node < 0) return;
    if (this.view !== 'graph') this.setView('graph');
    chart.hits.current = node;
    chart.select(node);
    this.changed(false);
  }

  // How the frame was run, in which parts if in several ways; empty for the root.
  kindsText(node) {
    const {profile} = this;
    const kinds = profile.kinds(node);
    if (kinds.length === 1) return KINDS[kinds[0][0]]?.name ?? '';
    return kinds.map(([kind, weight]) => `${KINDS[kind].part} ${roughPercent(weight, profile.total[node])}`).join(', ');
  }

  facts(node) {
    const {profile, chart} = this;
    const whole = profile.total[ROOT];
    const kinds = this.kindsText(node);
    const lines = [
      visible(profile.name(node)),
      `total ${quantity(profile.total[node], profile.unit)} · ${percent(profile.total[node], whole)}`,
      `self ${quantity(profile.self[node], profile.unit)} · ${percent(profile.self[node], whole)}`,
    ];
    if (chart.focus !== ROOT && profile.total[node] <= profile.total[chart.focus]) {
      lines.push(`${percent(profile.total[node], profile.total[chart.focus])} of the zoomed frame`);
    }
    if (kinds !== '') lines.push(kinds);
    return lines;
  }

  describe(node) {
    element('details').textContent = node >= 0
      ? this.facts(node).join('  ·  ')
      : `${(this.profile.size - 1).toLocaleString('en')} frames in ${this.profile.deepest.toLocaleString('en')} levels`;
  }

  hover(event) {
    const {chart} = this;
    const spot = chart.at(event.offsetX, event.offsetY);
    const node = spot === null ? -1 : spot.node;
    if (node !== chart.hovered) {
      chart.hovered = node;
      this.draw();
    }
    if (spot === null) {
      this.hideTooltip();
      this.describe(chart.selected);
      return;
    }
    const tooltip = element('tooltip');
    const lines = spot.many > 1
      ? [`${spot.many.toLocaleString('en')} thin frames`, `together ${quantity(spot.to - spot.from, this.profile.unit)}`, `the first: ${visible(this.profile.name(node))}`, 'click to zoom into them']
      : this.facts(node);
    tooltip.replaceChildren(...lines.map((line, i) => {
      const part = document.createElement(i === 0 ? 'strong' : 'span');
      part.textContent = line;
      return part;
    }));
    tooltip.hidden = false;
    const {width, height} = tooltip.getBoundingClientRect();
    const left = Math.max(4, Math.min(event.clientX + 14, window.innerWidth - width - 8));
    const below = event.clientY + 18;
    const top = below + height > window.innerHeight ? Math.max(4, event.clientY - height - 10) : below;
    tooltip.style.left = `${left}px`;
    tooltip.style.top = `${top}px`;
    element('details').textContent = lines.join('  ·  ');
  }

  hideTooltip() {
    element('tooltip').hidden = true;
    this.chart.hovered = -1;
  }

  click(event) {
    const spot = this.chart.at(event.offsetX, event.offsetY);
    if (spot === null) return;
    if (spot.many === 1) this.chart.zoomTo(spot.node);
    else {
      this.chart.show(spot.from, spot.to);
      this.chart.selected = -1;
    }
    this.changed(true);
  }

  reset() {
    element('search').value = '';
    this.search('');
    this.chart.show(0, this.profile.total[ROOT]);
    this.chart.selected = -1;
    element('scroller').scrollTop = 0;
    if (this.view === 'methods') this.methods.show(ROOT);
    this.changed(true);
  }

  zoomOut() {
    this.chart.zoomOut();
    if (this.view === 'methods') this.methods.show(this.chart.focus);
    this.changed(true);
  }

  // The selected frame's relative that lies in the direction of an arrow, or -1.
  relative(key) {
    const {chart, profile} = this;
    const node = chart.selected;
    if (node < 0) return chart.focus;
    if (key === 'ArrowUp') return node === ROOT ? -1 : profile.parent[node];
    // In preorder the heaviest callee is the next node.
    if (key === 'ArrowDown') return profile.last[node] > node ? node + 1 : -1;
    const level = profile.depth[node];
    const place = profile.place(node) + (key === 'ArrowRight' ? 1 : -1);
    const inLevel = place >= profile.levelStart[level] && place < profile.levelStart[level + 1];
    return inLevel ? profile.levelNodes[place] : -1;
  }

  chartKey(event) {
    const {chart} = this;
    const middle = element('scroller').clientWidth / 2;
    const scroller = element('scroller');
    const page = scroller.clientHeight - 2 * ROW_HEIGHT;
    const acts = {
      Enter: () => {
        if (chart.selected < 0) return;
        chart.zoomTo(chart.selected);
        this.changed(true);
      },
      '+': () => { chart.zoomBy(1 / ZOOM_STEP, middle); this.changed(false); },
      '=': () => acts['+'](),
      '-': () => { chart.zoomBy(ZOOM_STEP, middle); this.changed(false); },
      PageDown: () => { scroller.scrollTop += page; },
      PageUp: () => { scroller.scrollTop -= page; },
      Home: () => { scroller.scrollTop = 0; },
      End: () => { scroller.scrollTop = scroller.scrollHeight; },
    };
    if (event.key.startsWith('Arrow')) {
      acts[event.key] = () => {
        const node = this.relative(event.key);
        if (node < 0) return;
        chart.select(node);
        this.changed(false);
      };
    }
    return acts[event.key];
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || element('help').open) return;
    const typing = event.target === element('search');
    const acts = {
      '/': () => { element('search').focus(); element('search').select(); },
      n: () => this.goToHit(1),
      N: () => this.goToHit(-1),
      t: () => this.toggleView(),
      d: () => this.nextTheme(),
      0: () => this.reset(),
      '?': () => element('help').showModal(),
      Backspace: () => this.zoomOut(),
      Escape: () => {
        if (this.words !== '') {
          element('search').value = '';
          this.search('');
          this.changed(false);
        } else this.zoomOut();
      },
    };
    let act = typing ? undefined : acts[event.key];
    if (event.target === this.chart.canvas) act ??= this.chartKey(event);
    if (act === undefined) return;
    event.preventDefault();
    act();
  }

  searchKey(event) {
    if (event.key === 'Enter') {
      this.searchNow();
      this.goToHit(event.shiftKey ? -1 : 1);
    } else if (event.key === 'Escape') {
      element('search').value = '';
      this.searchNow();
      this.chart.canvas.focus();
    } else return;
    event.preventDefault();
  }

  searchNow() {
    clearTimeout(this.typing);
    if (element('search').value === this.words) return;
    this.search(element('search').value);
    this.changed(false);
  }

  nextTheme() {
    this.setTheme(THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length]);
    this.remember(false);
  }

  listen() {
    const {chart} = this;
    const {canvas} = chart;
    const on = (id, act) => element(id).addEventListener('click', act);
    on('show-graph', () => { if (this.view !== 'graph') this.toggleView(); });
    on('show-methods', () => { if (this.view !== 'methods') this.toggleView(); });
    on('hit-before', () => this.goToHit(-1));
    on('hit-after', () => this.goToHit(1));
    on('zoom-out', () => this.zoomOut());
    on('reset', () => this.reset());
    on('theme', () => this.nextTheme());
    on('show-help', () => element('help').showModal());
    on('close-help', () => element('help').close());
    on('method-search', () => this.showMethod());
    const search = element('search');
    search.addEventListener('input', () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.searchNow(), TYPING_PAUSE_MILLIS);
    });
    search.addEventListener('keydown', (event) => this.searchKey(event));
    document.addEventListener('keydown', (event) => this.key(event));
    element('scroller').addEventListener('scroll', () => { this.hideTooltip(); this.draw(); });
    new ResizeObserver(() => this.draw()).observe(element('scroller'));
    canvas.addEventListener('pointermove', (event) => this.pointerMoved(event));
    canvas.addEventListener('pointerleave', () => {
      this.hideTooltip();
      this.describe(chart.selected);
      this.draw();
    });
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button === 0) this.drag = {x: event.clientX, last: event.clientX, moved: false};
    });
    canvas.addEventListener('click', (event) => {
      const dragged = this.drag?.moved;
      this.drag = null;
      if (!dragged) this.click(event);
    });
    canvas.addEventListener('wheel', (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      chart.zoomBy(ZOOM_STEP ** Math.sign(event.deltaY), event.offsetX);
      this.changed(false);
    }, {passive: false});
    darkSystem.addEventListener('change', () => this.setTheme(this.theme));
    window.addEventListener('hashchange', () => {
      if (location.hash.slice(1) !== this.written) this.apply(readAddress());
    });
  }

  pointerMoved(event) {
    const {drag, chart} = this;
    if (drag === null || (event.buttons & 1) === 0) {
      this.hover(event);
      return;
    }
    if (Math.abs(event.clientX - drag.x) > CLICK_MOVES && !drag.moved) {
      drag.moved = true;
      chart.canvas.setPointerCapture(event.pointerId);
    }
    if (!drag.moved) return;
    this.hideTooltip();
    chart.pan(drag.last - event.clientX);
    drag.last = event.clientX;
    this.changed(false);
  }

  // Searches for exactly the method that is looked at.
  showMethod() {
    const name = this.profile.names[this.methods.method];
    element('search').value = `/^${name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}$/`;
    this.searchNow();
    this.setView('graph');
    this.goToHit(1);
    this.remember(true);
    this.chart.canvas.focus();
  }
}

async function open() {
  const theme = readAddress().get('theme');
  document.documentElement.dataset.theme = resolvedTheme(THEMES.includes(theme) ? theme : 'auto');
  const source = element('profile');
  try {
    const profile = new Profile(await unpack(source.textContent));
    source.remove();
    const app = new App(profile);
    // For tests and for whoever wants to ask the page by script.
    window.flameGraph = {profile, chart: app.chart, app};
    if (profile.total[ROOT] === 0) element('details').textContent = 'The profile holds no samples.';
  } catch (error) {
    element('details').textContent = `The profile cannot be shown: ${error.message}`;
    document.body.classList.add('failed');
  }
}

open();
