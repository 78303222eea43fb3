// The flame graph itself: one canvas of the window's size over a scrolling sheet. The root is
// the first row. Boxes go into an ImageData, row by row; texts go over it where they fit.

const ROW_HEIGHT = 19;
const FONT_SIZE = 12;
const TEXT_PADDING = 4;
// Boxes narrower than this many device pixels are drawn together, one strip per pixel.
const THINNEST_BOX = 1.5;
const FEWEST_LETTERS = 3;
// A frame that is selected by key or search is made at least this wide.
const SELECTED_WIDTH = 24;
// The narrowest view, as a part of the lightest thing in it: numbers are whole, so 1 is a sample.
const NARROWEST_VIEW = 1e-3;

class Chart {
  constructor(profile, canvas, scroller, sheet) {
    this.profile = profile;
    this.canvas = canvas;
    this.scroller = scroller;
    this.sheet = sheet;
    this.context = canvas.getContext('2d', {alpha: false, willReadFrequently: true});
    this.from = 0;
    this.to = profile.total[ROOT];
    this.focus = ROOT;
    this.selected = -1;
    this.hovered = -1;
    this.hits = null;
    this.colours = null;
    this.shortNames = new Map();
    sheet.style.height = `${(profile.deepest + 1) * ROW_HEIGHT}px`;
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.scroller.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.scroller.clientHeight * ratio));
    this.ratio = ratio;
    this.row = Math.max(1, Math.round(ROW_HEIGHT * ratio));
    if (width === this.canvas.width && height === this.canvas.height && this.image) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.canvas.style.width = `${width / ratio}px`;
    this.canvas.style.height = `${height / ratio}px`;
    this.image = this.context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.font = `${FONT_SIZE * ratio}px ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace`;
    this.context.font = this.font;
    this.letter = this.context.measureText('M').width;
  }

  get scale() {
    return this.canvas.width / (this.to - this.from);
  }

  // The level whose row begins at or above the top of the canvas, and how far above, in pixels.
  topRow() {
    const scrolled = Math.round(this.scroller.scrollTop / ROW_HEIGHT * this.row);
    return {level: Math.floor(scrolled / this.row), above: scrolled % this.row};
  }

  draw() {
    const {pixels, canvas, row} = this;
    const {width, height} = canvas;
    pixels.fill(this.colours.paper);
    const {level: top, above} = this.topRow();
    const labels = [];
    const line = new Uint32Array(width);
    for (let level = top; level <= this.profile.deepest; level++) {
      const y = (level - top) * row - above;
      if (y >= height) break;
      line.fill(this.colours.paper);
      if (!this.paintLevel(level, line, y, labels)) break;
      // The last line of a row stays paper: the gap between rows.
      const end = Math.min(height, y + row - 1);
      for (let copy = Math.max(0, y); copy < end; copy++) pixels.set(line, copy * width);
    }
    this.context.putImageData(this.image, 0, 0);
    this.write(labels);
    this.outline(this.selected, 2);
    this.outline(this.hovered, 1);
  }

  // Paints one row of pixels; false when nothing of the level lies in view.
  paintLevel(level, line, y, labels) {
    const {profile, from, to, scale, hits} = this;
    const {levelNodes, levelStart, start, total} = profile;
    const width = line.length;
    const high = levelStart[level + 1];
    let place = profile.firstEndingAfter(from, levelStart[level], high);
    let strip = -1;
    let painted = false;
    while (place < high) {
      const node = levelNodes[place];
      if (start[node] >= to) break;
      painted = true;
      const x0 = (start[node] - from) * scale;
      const x1 = x0 + total[node] * scale;
      if (!this.isThin(node)) {
        let left = Math.max(0, Math.round(x0));
        const right = Math.min(width, Math.round(x1));
        // A strip keeps its pixel: a hit in it must not vanish under its neighbour.
        if (left <= strip && right - left > 1) left = strip + 1;
        const gap = right - left > 2 && right < width ? 1 : 0;
        line.fill(this.colourOf(node), left, right - gap);
        if (right - left > FEWEST_LETTERS * this.letter + 2 * TEXT_PADDING) labels.push({node, left, right, y});
        place++;
      } else {
        const pixel = Math.min(width - 1, Math.max(0, Math.floor(x0)));
        const next = this.stripEnd(place, pixel, high);
        const lit = hits !== null && hits.any(place, next);
        line[pixel] = lit ? this.colours.hit : this.colourOf(node);
        strip = pixel;
        place = next;
      }
    }
    return painted;
  }

  // The place behind the last node of a strip: all thin ones that begin within the pixel.
  stripEnd(place, pixel, high) {
    const {start, levelNodes} = this.profile;
    const edge = this.from + (pixel + 1) / this.scale;
    const next = this.profile.firstEndingAfter(edge, place, high);
    const reaches = next < high && start[levelNodes[next]] < edge && this.isThin(levelNodes[next]);
    return Math.max(place + 1, reaches ? next + 1 : next);
  }

  isThin(node) {
    return this.profile.total[node] * this.scale < THINNEST_BOX;
  }

  colourOf(node) {
    const {profile, colours, hits} = this;
    const frame = profile.frame[node];
    if (hits !== null) return hits.has(node) ? colours.hit : colours.beside[frame];
    const above = profile.start[node] < this.from || profile.end(node) > this.to;
    return above ? colours.above[frame] : colours.plain[frame];
  }

  write(labels) {
    const {context, colours, profile, hits} = this;
    context.font = this.font;
    context.textBaseline = 'middle';
    context.direction = 'ltr';
    const padding = TEXT_PADDING * this.ratio;
    for (const {node, left, right, y} of labels) {
      const room = right - left - 2 * padding;
      const text = this.fit(profile.nameId(node), Math.floor(room / this.letter));
      context.fillStyle = hits?.has(node) ? colours.hitInk : colours.ink;
      // The room again: letters outside ASCII may be wider than the font's own.
      context.fillText(text, left + padding, y + this.row / 2, room);
    }
  }

  // The name whole, else without its package, else its beginning.
  fit(nameId, letters) {
    let names = this.shortNames.get(nameId);
    if (names === undefined) {
      const full = visible(this.profile.names[nameId]);
      names = [full, withoutPackage(full)];
      this.shortNames.set(nameId, names);
    }
    const whole = names.find((name) => name.length <= letters);
    return whole ?? `${names[1].slice(0, Math.max(1, letters - 1))}…`;
  }

  outline(node, thickness) {
    const {context} = this;
    const box = node < 0 ? null : this.box(node);
    if (box === null) return;
    const lines = thickness * this.ratio;
    context.strokeStyle = this.colours.edge;
    context.lineWidth = lines;
    context.strokeRect(box.left + lines / 2, box.top + lines / 2,
      Math.max(lines, box.right - box.left - lines), this.row - 1 - lines);
  }

  // Where a node lies on the canvas, in device pixels; null when it is not in view sideways.
  box(node) {
    const {profile, from, to, scale} = this;
    if (profile.end(node) <= from || profile.start[node] >= to) return null;
    const {level, above} = this.topRow();
    return {
      left: Math.max(0, (profile.start[node] - from) * scale),
      right: Math.min(this.canvas.width, (profile.end(node) - from) * scale),
      top: (profile.depth[node] - level) * this.row - above,
    };
  }

  // What lies under a point of the canvas (CSS pixels): null, or the node with the range of
  // values that a click zooms to. `many` counts the nodes of a strip.
  at(x, y) {
    const {profile, scale} = this;
    const {level: top, above} = this.topRow();
    const level = top + Math.floor((y * this.ratio + above) / this.row);
    if (level < 0 || level > profile.deepest) return null;
    const pixel = Math.floor(x * this.ratio);
    const high = profile.levelStart[level + 1];
    const {levelNodes, levelStart, start} = profile;
    const left = this.from + pixel / scale;
    const right = this.from + (pixel + 1) / scale;
    const isStrip = (place) => place < high && start[levelNodes[place]] >= left &&
      start[levelNodes[place]] < right && this.isThin(levelNodes[place]);
    let first = profile.firstEndingAfter(left, levelStart[level], high);
    if (first === high || start[levelNodes[first]] >= right) return null;
    // What only ends within the pixel leaves it to the strip behind it.
    if (!isStrip(first) && isStrip(first + 1)) first++;
    if (!isStrip(first)) {
      const middle = profile.nodeAt(level, (left + right) / 2);
      const node = middle < 0 ? levelNodes[first] : middle;
      if (!this.isThin(node)) return {node, many: 1, from: start[node], to: profile.end(node)};
    }
    const end = this.stripEnd(first, pixel, high);
    return {
      node: levelNodes[first],
      many: end - first,
      from: start[levelNodes[first]],
      to: profile.end(levelNodes[end - 1]),
    };
  }

  // Shows a range of values; the whole when it is empty.
  show(from, to) {
    const {profile} = this;
    const whole = profile.total[ROOT];
    const least = Math.min(NARROWEST_VIEW, whole);
    this.from = Math.max(0, Math.min(from, whole - least));
    this.to = Math.min(whole, Math.max(to, this.from + least));
    this.focus = profile.covering(this.from, this.to);
  }

  zoomTo(node) {
    this.show(this.profile.start[node], this.profile.end(node));
    this.focus = node;
    this.selected = node;
    this.reveal(node);
  }

  // To the nearest ancestor that is wider than the view.
  zoomOut() {
    const {profile} = this;
    let node = this.focus;
    while (node !== ROOT && profile.total[node] <= this.to - this.from) node = profile.parent[node];
    this.show(profile.start[node], profile.end(node));
    this.focus = node;
  }

  // Widens (> 1) or narrows (< 1) the view around a point of the canvas (CSS pixels).
  zoomBy(factor, x) {
    const at = this.from + x * this.ratio / this.scale;
    this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  pan(pixels) {
    const width = this.to - this.from;
    const from = Math.max(0, Math.min(this.profile.total[ROOT] - width, this.from + pixels * this.ratio / this.scale));
    this.show(from, from + width);
  }

  // Scrolls a node's row into view, with some rows of what is around it.
  reveal(node) {
    const {scroller} = this;
    const top = this.profile.depth[node] * ROW_HEIGHT;
    const margin = Math.min(4 * ROW_HEIGHT, scroller.clientHeight / 3);
    if (top - margin < scroller.scrollTop) scroller.scrollTop = top - margin;
    else if (top + ROW_HEIGHT + margin > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = top + ROW_HEIGHT + margin - scroller.clientHeight;
    }
  }

  // Selects a node. The view moves only when the node could not be seen in it, and then to the
  // widest view that shows the node well.
  select(node) {
    const {profile, canvas} = this;
    const {total, parent} = profile;
    this.selected = node;
    const inView = profile.end(node) > this.from && profile.start[node] < this.to;
    const wanted = SELECTED_WIDTH * this.ratio;
    if (!inView || Math.min(total[node], this.to - this.from) * this.scale < wanted) {
      let top = node;
      while (top !== ROOT && total[node] / total[parent[top]] * canvas.width >= wanted) top = parent[top];
      this.show(profile.start[top], profile.end(top));
      this.focus = top;
    }
    this.reveal(node);
  }
}
