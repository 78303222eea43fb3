// The profile: a tree in preorder, in typed arrays. Node 0 is the root.

const VERSION = 2;
const ROOT = 0;
const ROOT_NAME = 'all';

// Undoes base64 and gzip. Rejects with an Error whose message is for the user.
async function unpack(base64) {
  if (typeof DecompressionStream === 'undefined') {
    throw new Error('This browser is too old for the page: it needs DecompressionStream.');
  }
  const text = atob(base64.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.decoder = new TextDecoder();
  }

  // Little-endian base 128; a number past 2^53 loses its last digits.
  number() {
    const {bytes} = this;
    let byte = bytes[this.at++];
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 128;
    do {
      if (this.at >= bytes.length) throw new Error('The profile in this page is cut off.');
      byte = bytes[this.at++];
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte >= 0x80);
    return value;
  }

  text() {
    const length = this.number();
    this.at += length;
    return this.decoder.decode(this.bytes.subarray(this.at - length, this.at));
  }

  list(item) {
    return Array.from({length: this.number()}, () => item());
  }
}

class Profile {
  constructor(bytes) {
    const reader = new Reader(bytes);
    if (reader.number() !== VERSION) throw new Error('The profile in this page has another version than the page.');
    this.title = reader.text();
    this.unit = reader.text();
    this.notes = reader.list(() => reader.text());
    this.names = reader.list(() => reader.text());
    // The root has a name and a frame of its own, the last ones.
    const frames = reader.number();
    this.frameName = new Uint32Array(frames + 1);
    this.frameKind = new Uint8Array(frames + 1);
    for (let i = 0; i < frames; i++) {
      this.frameName[i] = reader.number();
      this.frameKind[i] = reader.number();
    }
    this.frameName[frames] = this.names.length;
    this.frameKind[frames] = ROOT_KIND;
    this.names.push(ROOT_NAME);
    this.ownOfKind = reader.list(() => reader.number());
    this.readNodes(reader, frames);
    this.readShares(reader);
    this.sum();
    this.layOut();
  }

  readNodes(reader, rootFrame) {
    const size = reader.number() + 1;
    this.size = size;
    this.frame = new Uint32Array(size);
    this.depth = new Uint32Array(size);
    this.self = new Float64Array(size);
    this.frame[ROOT] = rootFrame;
    this.self[ROOT] = reader.number();
    for (let i = 1; i < size; i++) this.frame[i] = reader.number();
    this.deepest = 0;
    for (let i = 1; i < size; i++) {
      this.depth[i] = this.depth[i - 1] + 1 - reader.number();
      if (this.depth[i] > this.deepest) this.deepest = this.depth[i];
    }
    for (let i = 1; i < size; i++) this.self[i] = reader.number();
  }

  // What other kinds have of a node that several share, by node.
  readShares(reader) {
    const count = reader.number();
    this.shareNode = new Uint32Array(count);
    this.shareKind = new Uint8Array(count);
    this.shareWeight = new Float64Array(count);
    let node = ROOT;
    for (let i = 0; i < count; i++) {
      node += reader.number();
      this.shareNode[i] = node;
    }
    for (let i = 0; i < count; i++) this.shareKind[i] = reader.number();
    for (let i = 0; i < count; i++) this.shareWeight[i] = reader.number();
  }

  // Parents, totals, and the last node of each subtree.
  sum() {
    const {size, depth} = this;
    this.parent = new Uint32Array(size);
    this.total = this.self.slice();
    this.last = new Uint32Array(size);
    const open = new Uint32Array(this.deepest + 1);
    for (let i = 1; i < size; i++) {
      this.parent[i] = open[depth[i] - 1];
      open[depth[i]] = i;
    }
    for (let i = size - 1; i > 0; i--) {
      const parent = this.parent[i];
      this.total[parent] += this.total[i];
      if (this.last[i] === 0) this.last[i] = i;
      if (this.last[parent] === 0) this.last[parent] = this.last[i];
    }
  }

  // Left edges, and the nodes of each level from left to right:
  // those of level d are levelNodes[levelStart[d]] up to levelNodes[levelStart[d + 1] - 1].
  layOut() {
    const {size, depth, total} = this;
    this.start = new Float64Array(size);
    this.levelStart = new Uint32Array(this.deepest + 2);
    const edge = new Float64Array(this.deepest + 2);
    for (let i = 0; i < size; i++) {
      const level = depth[i];
      this.start[i] = edge[level];
      edge[level + 1] = edge[level];
      edge[level] += total[i];
      this.levelStart[level + 1]++;
    }
    for (let d = 0; d <= this.deepest; d++) this.levelStart[d + 1] += this.levelStart[d];
    const free = this.levelStart.slice();
    this.levelNodes = new Uint32Array(size);
    for (let i = 0; i < size; i++) this.levelNodes[free[depth[i]]++] = i;
  }

  end(node) {
    return this.start[node] + this.total[node];
  }

  nameId(node) {
    return this.frameName[this.frame[node]];
  }

  name(node) {
    return this.names[this.nameId(node)];
  }

  // The kind that has most of the node.
  kind(node) {
    return this.frameKind[this.frame[node]];
  }

  // The kinds that share a node, each with its weight, the heaviest first.
  kinds(node) {
    const {shareNode, shareKind, shareWeight} = this;
    let low = 0;
    let high = shareNode.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (shareNode[middle] < node) low = middle + 1;
      else high = middle;
    }
    const others = [];
    let rest = this.total[node];
    for (let i = low; shareNode[i] === node; i++) {
      others.push([shareKind[i], shareWeight[i]]);
      rest -= shareWeight[i];
    }
    others.sort((a, b) => b[1] - a[1]);
    return [[this.kind(node), rest], ...others];
  }

  // The first place in levelNodes, from `low` on and within the level, whose node ends right
  // of `value`. Doubling steps first: mostly it is near.
  firstEndingAfter(value, low, high) {
    let step = 1;
    let end = low;
    while (end < high && this.end(this.levelNodes[end]) <= value) {
      low = end + 1;
      end += step;
      step *= 2;
    }
    end = Math.min(end, high);
    while (low < end) {
      const middle = (low + end) >>> 1;
      if (this.end(this.levelNodes[middle]) <= value) low = middle + 1;
      else end = middle;
    }
    return low;
  }

  // The node of the level that covers the value, or -1.
  nodeAt(level, value) {
    const high = this.levelStart[level + 1];
    const place = this.firstEndingAfter(value, this.levelStart[level], high);
    if (place === high) return -1;
    const node = this.levelNodes[place];
    return this.start[node] <= value ? node : -1;
  }

  // The place of a node in levelNodes.
  place(node) {
    let low = this.levelStart[this.depth[node]];
    let high = this.levelStart[this.depth[node] + 1] - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.levelNodes[middle] < node) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The deepest node that covers the whole range.
  covering(from, to) {
    let node = ROOT;
    while (this.depth[node] < this.deepest) {
      const child = this.nodeAt(this.depth[node] + 1, from);
      if (child < 0 || this.end(child) < to) break;
      node = child;
    }
    return node;
  }
}
