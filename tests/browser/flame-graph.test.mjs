// The flame graph's page as a file, in Chromium.

import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {after, before, test} from 'node:test';

import {Chromium} from './chromium.mjs';
import {C1, CLASS, Folder, INLINED, INTERPRETED, JIT, NATIVE, VM} from './programs.mjs';

let chromium;
let folder;

before(async () => {
  folder = await Folder.make();
  chromium = await Chromium.start();
});

after(async () => {
  await chromium?.stop();
  await folder?.remove();
});

// Opens a page in a tab of its own, and makes sure that it ran nothing and asked for nothing else.
async function withPage(address, body) {
  const page = await chromium.newPage();
  try {
    await page.openFlameGraph(address);
    await body(page);
    assert.deepEqual(page.dialogs, []);
    assert.deepEqual(page.exceptions, []);
    assert.deepEqual(page.complaints, []);
    assert.deepEqual(page.requests.filter((url) => !url.startsWith('file:')), []);
  } finally {
    await page.close();
  }
}

const details = (page) => page.run(() => document.getElementById('details').textContent);
const share = (page) => page.run(() => document.getElementById('share').textContent);
const selected = (page) => page.run(() => {
  const {chart, profile} = window.flameGraph;
  return chart.selected < 0 ? null : profile.name(chart.selected);
});

// a(1) → b(2) → c(4); a → d → b(8); e(16)
const SMALL = {
  title: 'small',
  notes: ['3 samples were lost'],
  stacks: [
    [[['a', JIT]], 1],
    [[['a', JIT], ['b', JIT]], 2],
    [[['a', JIT], ['b', JIT], ['c', NATIVE]], 4],
    [[['a', JIT], ['d', JIT], ['b', JIT]], 8],
    [[['e', VM]], 16],
  ],
};

test('a small profile: total, notes, legend, and each node with its numbers', async () => {
  await withPage(await folder.flameGraph('small.html', SMALL), async (page) => {
    const text = (id) => page.run((id) => document.getElementById(id).textContent, id);
    assert.equal(await text('title'), 'small');
    assert.equal(await text('total'), '31 samples');
    assert.equal(await text('notes'), '3 samples were lost');
    assert.equal(await text('legend'), 'Java, JIT 35.48 %Native 12.90 %JVM and threads 51.61 %');
    const nodes = await page.run(() => {
      const {profile} = window.flameGraph;
      return Array.from({length: profile.size}, (_, i) =>
        [profile.name(i), profile.depth[i], profile.self[i], profile.total[i], profile.start[i]]);
    });
    assert.deepEqual(nodes, [
      ['all', 0, 0, 31, 0],
      ['e', 1, 16, 16, 0],
      ['a', 1, 1, 15, 16],
      ['d', 2, 0, 8, 16],
      ['b', 3, 8, 8, 16],
      ['b', 2, 2, 6, 24],
      ['c', 3, 4, 4, 24],
    ]);
  });
});

// What one method does while it is compiled, under a caller that is compiled as well.
const COMPILED = {
  stacks: [
    [[['run', INTERPRETED], ['work', INTERPRETED]], 20],
    [[['run', INTERPRETED], ['work', C1], ['sum', INLINED]], 9],
    [[['run', JIT], ['work', JIT], ['sum', INLINED]], 51],
    [[['run', JIT], ['work', JIT]], 20],
    [[['run', JIT], ['work', NATIVE]], 50],
    [[['other', C1], ['work', C1]], 200],
    [[['rare', JIT]], 999],
    [[['rare', INTERPRETED]], 1],
  ],
};

test('one method under one caller is one box, however it was run, with the colour of the largest part', async () => {
  await withPage(await folder.flameGraph('compiled.html', COMPILED), async (page) => {
    const nodes = await page.run(() => {
      const {app, chart, profile} = window.flameGraph;
      // What the legend says of a colour, in one of its shades.
      const legend = [...document.querySelectorAll('#legend li')].map((item) => ({
        text: item.textContent.replace(/ [\d.]+ %$/, ''),
        base: item.querySelector('.swatch').style.backgroundColor.match(/\d+/g).map(Number),
      }));
      const inLegend = (pixel) => legend.filter(({base}) => [1, 0.965, 0.93, 0.9].some((shade) =>
        base.every((value, i) => Math.round(value * shade) === (pixel >>> 8 * i & 255)))).map(({text}) => text).join();
      return Array.from({length: profile.size}, (_, i) =>
        [profile.name(i), profile.depth[i], profile.self[i], profile.total[i], inLegend(chart.colourOf(i)), app.facts(i).at(-1)]);
    });
    assert.deepEqual(nodes.slice(1), [
      ['rare', 1, 1000, 1000, 'Java, JIT', 'JIT > 99 %, interpreted < 1 %'],
      ['other', 1, 0, 200, 'Java, C1', 'Java, C1'],
      ['work', 2, 200, 200, 'Java, C1', 'Java, C1'],
      ['run', 1, 0, 150, 'Java, JIT', 'JIT 81 %, interpreted 19 %'],
      ['work', 2, 40, 100, 'Java, JIT', 'JIT 71 %, interpreted 20 %, C1 9 %'],
      ['sum', 3, 60, 60, 'Java, inlined', 'Java, inlined'],
      ['work', 2, 50, 50, 'Native', 'Native'],
    ]);
  });
});

test('the legend counts each kind also where it shares a box', async () => {
  await withPage(await folder.flameGraph('compiled.html', COMPILED), async (page) => {
    const legend = await page.run(() => [...document.querySelectorAll('#legend li')].map((item) => item.textContent));
    // Of 1,350: 20 + 1, 200, 20 + 999, 9 + 51, 50.
    assert.deepEqual(legend, [
      'Java, interpreted 1.56 %', 'Java, C1 14.81 %', 'Java, JIT 75.48 %', 'Java, inlined 4.44 %', 'Native 3.70 %',
    ]);
    assert.deepEqual(await page.run(() => window.flameGraph.profile.ownOfKind), [21, 200, 1019, 60, 50, 0, 0, 0, 0]);
  });
});

test('objects: the class ends the stack in a colour of its own, and bytes are written as sizes', async () => {
  const OBJECTS = {
    title: 'allocated bytes: shop.jfr',
    unit: 'bytes',
    stacks: [
      [[['Main.main', JIT], ['byte[]', CLASS]], 3 * 2 ** 29],
      [[['Main.main', JIT], ['Cart.total', JIT], ['java.lang.String', CLASS]], 5 * 2 ** 20],
      [[['Main.main', JIT], ['byte', CLASS]], 24],
      [[['java.lang.String', JIT]], 1000],
    ],
  };
  await withPage(await folder.flameGraph('objects.html', OBJECTS), async (page) => {
    const text = (id) => page.run((id) => document.getElementById(id).textContent, id);
    assert.equal(await text('title'), 'allocated bytes: shop.jfr');
    assert.equal(await text('total'), '1.5 GiB');
    assert.equal(await text('legend'), 'Java, JIT < 0.01 %Class of the objects 100.00 %');
    const facts = await page.run(() => {
      const {app, profile} = window.flameGraph;
      return Array.from({length: profile.size}, (_, i) => app.facts(i).filter((line) => !line.startsWith('total')));
    });
    assert.deepEqual(facts.slice(2), [
      ['byte[]', 'self 1.5 GiB · 99.68 %', 'Class of the objects'],
      ['Cart.total', 'self 0 bytes · 0.00 %', 'Java, JIT'],
      ['java.lang.String', 'self 5 MiB · 0.32 %', 'Class of the objects'],
      ['byte', 'self 24 bytes · < 0.01 %', 'Class of the objects'],
      ['java.lang.String', 'self 1,000 bytes · < 0.01 %', 'Java, JIT'],
    ]);
    for (const theme of ['light', 'dark']) {
      const distinct = await page.run((theme) => {
        const {app, chart, profile} = window.flameGraph;
        app.setTheme(theme);
        const swatches = [...document.querySelectorAll('#legend .swatch')].map((swatch) => swatch.style.backgroundColor);
        const frames = [2, 3].map((node) => chart.colours.plain[profile.frame[node]]);
        return new Set(swatches).size + new Set(frames).size;
      }, theme);
      assert.equal(distinct, 4, theme);
    }
  });
});

test('a tooltip tells the parts of a box, and a search finds the box once', async () => {
  await withPage(await folder.flameGraph('compiled.html', COMPILED), async (page) => {
    const {at, node} = await page.run(() => {
      const {chart, profile} = window.flameGraph;
      const node = Array.from(profile.total).findIndex((total, i) => total === 100 && profile.self[i] === 40);
      const canvas = document.getElementById('canvas').getBoundingClientRect();
      const {left, right, top} = chart.box(node);
      return {node, at: {x: canvas.left + (left + right) / 2 / chart.ratio, y: canvas.top + top / chart.ratio + 8}};
    });
    const tooltip = await page.run(({at: {x, y}, node}) => {
      const canvas = document.getElementById('canvas');
      canvas.dispatchEvent(new PointerEvent('pointermove', {clientX: x, clientY: y, bubbles: true}));
      if (window.flameGraph.chart.hovered !== node) throw new Error('another box');
      return [...document.getElementById('tooltip').children].map((line) => line.textContent);
    }, {at, node});
    assert.deepEqual(tooltip, [
      'work', 'total 100 samples · 7.41 %', 'self 40 samples · 2.96 %', 'JIT 71 %, interpreted 20 %, C1 9 %',
    ]);
    await page.press('/');
    await page.type('work');
    await page.until(() => document.getElementById('share').textContent !== '');
    assert.equal(await share(page), '25.93 % in 3 frames');
  });
});

test('the page opens with its root in view', async () => {
  await withPage(await folder.flameGraph('small.html', SMALL), async (page) => {
    const root = await page.run(() => {
      const box = document.getElementById('canvas').getBoundingClientRect();
      return [window.flameGraph.chart.at(box.width / 2, 5).node, box.top >= 0 && box.bottom <= window.innerHeight];
    });
    assert.deepEqual(root, [0, true]);
  });
});

test('a click zooms, Backspace and the browser go back', async () => {
  await withPage(await folder.flameGraph('small.html', SMALL), async (page) => {
    const view = () => page.run(() => [window.flameGraph.chart.from, window.flameGraph.chart.to]);
    const where = await page.run(() => {
      const {chart, profile} = window.flameGraph;
      const canvas = document.getElementById('canvas').getBoundingClientRect();
      const box = chart.box(3);
      return {x: canvas.left + (box.left + box.right) / 2, y: canvas.top + box.top + 8, name: profile.name(3)};
    });
    assert.equal(where.name, 'd');
    await page.click(where.x, where.y);
    assert.deepEqual(await view(), [16, 24]);
    assert.match(await details(page), /^d {2}· {2}total 8 samples · 25\.81 % {2}· {2}self 0 samples/);
    await page.press('Backspace');
    assert.deepEqual(await view(), [16, 31]);
    await page.press('Backspace');
    assert.deepEqual(await view(), [0, 31]);
    await page.run(() => history.back());
    await page.until(() => window.flameGraph.chart.to - window.flameGraph.chart.from === 15);
  });
});

test('the address brings back zoom, search, view and theme', async () => {
  const address = await folder.flameGraph('small.html', SMALL);
  let copied;
  await withPage(address, async (page) => {
    await page.run(() => {
      const {app, chart} = window.flameGraph;
      chart.zoomTo(2);
      app.changed(true);
    });
    await page.press('/');
    await page.type('b');
    await page.press('Enter');
    await page.press('Escape');
    await page.press('/');
    await page.type('c');
    await page.until(() => document.getElementById('share').textContent !== '');
    await page.run(() => document.getElementById('theme').click());
    await page.run(() => document.getElementById('show-methods').click());
    copied = await page.run(() => location.href);
  });
  await withPage(copied, async (page) => {
    const state = await page.run(() => {
      const {app, chart} = window.flameGraph;
      return [chart.from, chart.to, app.words, app.view, app.theme];
    });
    assert.deepEqual(state, [16, 31, 'c', 'methods', 'light']);
  });
});

test('a search tells its share, each sample counted once, and goes from hit to hit', async () => {
  const stacks = [
    [[['x', JIT], ['y', JIT], ['x', JIT]], 30],
    [[['y', JIT]], 10],
    [[['z', JIT], ['X.long', JIT]], 20],
    [[['z', JIT]], 40],
  ];
  await withPage(await folder.flameGraph('search.html', {stacks}), async (page) => {
    await page.press('/');
    await page.type('x');
    await page.until(() => document.getElementById('share').textContent !== '');
    assert.equal(await share(page), '50.00 % in 3 frames');
    await page.press('Enter');
    const visited = [];
    await page.run(() => document.getElementById('canvas').focus());
    for (let i = 0; i < 4; i++) {
      visited.push([await selected(page), await share(page)]);
      await page.press('n');
    }
    assert.deepEqual(visited, [
      ['X.long', '50.00 % in 1 of 3 frames'],
      ['x', '50.00 % in 2 of 3 frames'],
      ['x', '50.00 % in 3 of 3 frames'],
      ['X.long', '50.00 % in 1 of 3 frames'],
    ]);
    await page.press('N');
    assert.equal(await share(page), '50.00 % in 1 of 3 frames');
    const search = (words) => page.run((words) => {
      document.getElementById('search').value = words;
      window.flameGraph.app.searchNow();
      return document.getElementById('share').textContent;
    }, words);
    assert.equal(await search('/^y$/'), '40.00 % in 2 frames');
    assert.equal(await search('/(/'), 'not a regular expression');
    assert.equal(await search('nothing'), 'no hit');
    assert.equal(await search(''), '');
  });
});

test('the keys walk the tree', async () => {
  await withPage(await folder.flameGraph('small.html', SMALL), async (page) => {
    await page.run(() => document.getElementById('canvas').focus());
    const walk = [];
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowUp', 'Enter']) {
      await page.press(key);
      walk.push(await selected(page));
    }
    assert.deepEqual(walk, ['all', 'e', 'a', 'd', 'b', 'c', 'b', 'b']);
    assert.deepEqual(await page.run(() => [window.flameGraph.chart.from, window.flameGraph.chart.to]), [24, 30]);
    await page.press('0');
    assert.deepEqual(await page.run(() => [window.flameGraph.chart.from, window.flameGraph.chart.to]), [0, 31]);
    await page.press('?');
    assert.equal(await page.run(() => document.getElementById('help').open), true);
    await page.press('Escape');
    assert.equal(await page.run(() => document.getElementById('help').open), false);
  });
});

test('methods: a recursion counts once, callers and callees add up', async () => {
  const stacks = [
    [[['main', JIT], ['r', JIT], ['r', JIT], ['leaf', JIT]], 5],
    [[['main', JIT], ['r', JIT], ['leaf', JIT], ['r', JIT]], 7],
    [[['other', JIT], ['r', JIT]], 3],
  ];
  await withPage(await folder.flameGraph('methods.html', {stacks}), async (page) => {
    await page.press('t');
    const table = await page.run(() => window.flameGraph.app.methods.table.items
      .map(({name, self, total}) => [name, self, total]));
    assert.deepEqual(table, [['r', 10, 15], ['leaf', 5, 12], ['main', 0, 12], ['other', 0, 3]]);
    const around = await page.run(() => {
      const {app: {methods}, profile} = window.flameGraph;
      const named = (list) => list.items.map(([name, weight]) => [profile.names[name], weight]);
      return {name: document.getElementById('method-name').textContent, callers: named(methods.callers), callees: named(methods.callees)};
    });
    assert.deepEqual(around, {name: 'r', callers: [['main', 12], ['other', 3]], callees: [['leaf', 5]]});
    const rows = await page.run(() => [...document.querySelectorAll('#method-list .list-row:not([hidden])')].map((row) => row.textContent));
    assert.equal(rows[0], '10 samples66.67 %15 samples100 %r');
  });
});

test('times and sizes have their units', async () => {
  const stacks = [[[['a', JIT]], 1_500_000_000]];
  await withPage(await folder.flameGraph('ns.html', {unit: 'ns', stacks}), async (page) => {
    assert.equal(await page.run(() => document.getElementById('total').textContent), '1.5 s');
  });
  await withPage(await folder.flameGraph('bytes.html', {unit: 'bytes', stacks}), async (page) => {
    assert.equal(await page.run(() => document.getElementById('total').textContent), '1.4 GiB');
  });
});

test('an empty profile says so', async () => {
  await withPage(await folder.flameGraph('empty.html', {stacks: []}), async (page) => {
    assert.equal(await details(page), 'The profile holds no samples.');
  });
});

test('a page that was cut off says so', async () => {
  const address = await folder.flameGraph('cut.html', SMALL);
  const whole = await readFile(folder.file('cut.html'), 'utf8');
  const {writeFile} = await import('node:fs/promises');
  await writeFile(folder.file('cut.html'), whole.replace(/(id="profile">.{40})[^<]*/, '$1'));
  await withPage(address, async (page) => {
    assert.match(await details(page), /^The profile cannot be shown: /);
  });
});

const HOSTILE = [
  '</script><script>window.ran = 1; alert(1)</script>',
  '<img src=x onerror="window.ran = 2; alert(2)">',
  '"><svg onload=alert(3)>',
  '\' onmouseover=alert(4) \'',
  'javascript:alert(5)',
  '<!--<script>',
  '{{script}}',
  'abc\u202egnp.exe\u2066\u200b',
  'line\nbreak\u0000nul',
  '😀'.repeat(16_384),
  `${'x'.repeat(65_536)}</script><script>alert(6)</script>`,
  '__proto__',
  'constructor',
];

test('hostile names run nowhere and hide nothing', async () => {
  const stacks = HOSTILE.map((name, i) => [[[name, i % 8], [`under ${name}`, JIT]], 10 + i]);
  const address = await folder.flameGraph('hostile.html', {title: HOSTILE[0], unit: HOSTILE[1], notes: HOSTILE, stacks});
  await withPage(address, async (page) => {
    const frames = await page.run(() => window.flameGraph.profile.size - 1);
    assert.equal(frames, 2 * HOSTILE.length);
    // Every way to show a name: tooltip, status, lists, search.
    for (let i = 1; i <= frames; i++) {
      await page.run((node) => {
        const {app, chart} = window.flameGraph;
        chart.zoomTo(node);
        app.changed(true);
        chart.resize();
        chart.draw();
        const box = chart.box(node);
        const canvas = document.getElementById('canvas');
        const x = (box.left + box.right) / 2 / chart.ratio;
        const y = box.top / chart.ratio + 5;
        const at = canvas.getBoundingClientRect();
        canvas.dispatchEvent(new PointerEvent('pointermove', {clientX: at.left + x, clientY: at.top + y, bubbles: true}));
        if (document.getElementById('tooltip').hidden) throw new Error(`no tooltip for node ${node}`);
      }, i);
    }
    for (const words of HOSTILE.slice(0, 9)) {
      await page.run((words) => {
        document.getElementById('search').value = words;
        window.flameGraph.app.searchNow();
      }, words);
    }
    await page.press('0');
    await page.run(() => document.getElementById('show-methods').click());
    await page.painted();
    const state = await page.run(() => ({
      ran: window.ran ?? null,
      elements: document.querySelectorAll('img, svg, iframe, [onerror], [onload], [onmouseover]').length,
      scripts: [...document.scripts].length,
      text: document.body.textContent,
    }));
    assert.equal(state.ran, null);
    assert.equal(state.elements, 0);
    assert.equal(state.scripts, 1);
    assert.ok(state.text.includes('abc\\u202egnp.exe\\u2066\\u200b'), 'bidi marks are shown by their numbers');
    assert.ok(!/[\u202e\u2066\u200b]/.test(state.text), 'no bidi mark itself is in the page');
    assert.ok(state.text.includes('(32,768 characters)'), 'a long name is cut and says so');
    await page.run(() => window.flameGraph.app.methods.look(0, true));
  });
});

test('the policy stops a script that got into the page all the same', async () => {
  await withPage(await folder.flameGraph('small.html', SMALL), async (page) => {
    const outcome = await page.run(() => new Promise((resolve) => {
      document.addEventListener('securitypolicyviolation', (event) => resolve([event.effectiveDirective, window.ran ?? null]));
      const script = document.createElement('script');
      script.textContent = 'window.ran = 1';
      document.body.append(script);
    }));
    assert.deepEqual(outcome, ['script-src-elem', null]);
    const complaints = page.complaints.splice(0);
    assert.equal(complaints.length, 1);
    assert.match(complaints[0], /Content Security Policy/);
  });
});

test('a million nodes: the sum is the file\'s, and every node can be reached and seen', async () => {
  const made = await folder.synthetic('big.html');
  assert.ok(made.nodes > 1_000_000, `${made.nodes} nodes`);
  await withPage(folder.address('big.html'), async (page) => {
    const found = await page.run(() => {
      const {profile, chart} = window.flameGraph;
      const {size, self, total, depth, start, parent} = profile;
      let sum = 0;
      let misplaced = 0;
      let unseen = 0;
      let shared = 0;
      let wronglyShared = 0;
      chart.resize();
      const line = new Uint32Array(chart.canvas.width);
      for (let node = 0; node < size; node++) {
        sum += self[node];
        // Within its parent, and found at its own place.
        if (node > 0 && (start[node] < start[parent[node]] || profile.end(node) > profile.end(parent[node]))) misplaced++;
        if (profile.nodeAt(depth[node], start[node] + total[node] / 2) !== node) misplaced++;
        const kinds = profile.kinds(node);
        if (kinds.length > 1) shared++;
        // All of the total, by kinds of Java of which none is there twice, the heaviest first.
        if (kinds.reduce((sum, [, weight]) => sum + weight, 0) !== total[node] ||
          new Set(kinds.map(([kind]) => kind)).size !== kinds.length ||
          kinds.some(([kind, weight], i) => weight <= 0 || (kinds.length > 1 && kind > 3) || weight > kinds[Math.max(0, i - 1)][1])) wronglyShared++;
        if (node % 97 !== 0) continue;
        // Zoomed to it, the whole width of its row is its own.
        chart.show(start[node], profile.end(node));
        const labels = [];
        chart.paintLevel(depth[node], line, 0, labels);
        if (!line.every((colour) => colour === line[0] && colour !== 0) || labels[0]?.node !== node) unseen++;
      }
      const legend = profile.ownOfKind.reduce((sum, own) => sum + own, 0);
      return {size, sum, all: total[0], legend, deepest: profile.deepest, misplaced, unseen, shared: shared > 10_000, wronglyShared};
    });
    assert.deepEqual(found, {
      size: made.nodes + 1, sum: made.sum, all: made.sum, legend: made.sum, deepest: 4100,
      misplaced: 0, unseen: 0, shared: true, wronglyShared: 0,
    });
  });
});

test('clicks alone lead from the root to any node, also through strips thinner than a pixel', async () => {
  await withPage(folder.address('big.html'), async (page) => {
    const failed = await page.run(() => {
      const {app, chart, profile} = window.flameGraph;
      const scroller = document.getElementById('scroller');
      const failed = [];
      for (let step = 0; step < 200; step++) {
        const goal = Math.floor((step + 0.5) / 200 * profile.size);
        app.reset();
        chart.resize();
        let clicks = 0;
        const middle = profile.start[goal] + profile.total[goal] / 2;
        while (!(chart.from === profile.start[goal] && chart.to === profile.end(goal)) && clicks < 60) {
          scroller.scrollTop = Math.max(0, profile.depth[goal] * 19 - 100);
          const x = (middle - chart.from) * chart.scale / chart.ratio;
          const {level, above} = chart.topRow();
          const y = ((profile.depth[goal] - level) * chart.row - above + chart.row / 2) / chart.ratio;
          const spot = chart.at(Math.min(x, chart.canvas.width / chart.ratio - 0.5), y);
          if (spot === null) break;
          if (spot.many === 1) chart.zoomTo(spot.node);
          else chart.show(spot.from, spot.to);
          clicks++;
        }
        if (chart.from !== profile.start[goal] || chart.to !== profile.end(goal)) failed.push([goal, clicks]);
      }
      return failed;
    });
    assert.deepEqual(failed, []);
  });
});

test('what is painted of a row is what the row holds, to the pixel', async () => {
  await withPage(folder.address('big.html'), async (page) => {
    const wrong = await page.run(() => {
      const {app, chart, profile} = window.flameGraph;
      app.reset();
      chart.resize();
      const {width} = chart.canvas;
      const wrong = [];
      for (let level = 0; level <= 160; level++) {
        const line = new Uint32Array(width).fill(chart.colours.paper);
        chart.paintLevel(level, line, 0, []);
        // By brute force: the pixels that any node of the level touches.
        const touched = new Uint8Array(width);
        const inner = new Uint8Array(width);
        for (let p = profile.levelStart[level]; p < profile.levelStart[level + 1]; p++) {
          const node = profile.levelNodes[p];
          const x0 = profile.start[node] * chart.scale;
          const x1 = profile.end(node) * chart.scale;
          touched.fill(1, Math.max(0, Math.floor(x0)), Math.min(width, Math.ceil(x1)));
          if (x1 - x0 < 1.5) inner[Math.min(width - 1, Math.floor(x0))] = 1;
        }
        for (let x = 0; x < width; x++) {
          const painted = line[x] !== chart.colours.paper;
          if (painted && !touched[x]) wrong.push([level, x, 'painted without a node']);
          if (!painted && inner[x]) wrong.push([level, x, 'a thin node is not painted']);
        }
      }
      return wrong.slice(0, 5);
    });
    assert.deepEqual(wrong, []);
  });
});

test('a hit in a strip thinner than a pixel is lit', async () => {
  await withPage(folder.address('big.html'), async (page) => {
    const result = await page.run(() => {
      const {app, chart, profile} = window.flameGraph;
      app.reset();
      app.search('Type600.');
      let thin = 0;
      let dark = 0;
      const {width} = chart.canvas;
      for (let level = 0; level <= profile.deepest; level++) {
        const line = new Uint32Array(width);
        chart.paintLevel(level, line, 0, []);
        for (let p = profile.levelStart[level]; p < profile.levelStart[level + 1]; p++) {
          const node = profile.levelNodes[p];
          if (!chart.hits.has(node) || profile.total[node] * chart.scale >= 1.5) continue;
          thin++;
          const x = Math.floor(profile.start[node] * chart.scale);
          if (![x - 1, x].some((x) => line[x] === chart.colours.hit)) dark++;
        }
      }
      return {some: thin > 100, dark};
    });
    assert.deepEqual(result, {some: true, dark: 0});
  });
});
