// What a search finds.

// A function that tells whether a name matches, or null for an empty search.
// Throws an Error with a message for the user when a regular expression is wrong.
function matcher(words) {
  if (words === '') return null;
  const expression = /^\/(.+)\/$/.exec(words);
  if (expression) {
    let regular;
    try {
      regular = new RegExp(expression[1], 'i');
    } catch {
      throw new Error('not a regular expression');
    }
    return (name) => regular.test(name);
  }
  const low = words.toLowerCase();
  return (name) => name.toLowerCase().includes(low);
}

class Hits {
  constructor(profile, matches) {
    const {size, frame, total, last, levelNodes} = profile;
    this.profile = profile;
    // Per name, so that a million nodes cost no million comparisons of texts.
    const nameHit = Uint8Array.from(profile.names, (name) => matches(name) ? 1 : 0);
    this.frameHit = Uint8Array.from(profile.frameName, (name) => nameHit[name]);
    this.frameHit[frame[ROOT]] = 0;
    this.count = 0;
    // before[p]: hits among the first p of levelNodes.
    this.before = new Uint32Array(size + 1);
    for (let p = 0; p < size; p++) {
      this.count += this.frameHit[frame[levelNodes[p]]];
      this.before[p + 1] = this.count;
    }
    // What the hits cover: each sample once, also below a hit within a hit.
    this.covered = 0;
    for (let i = 0; i < size; i++) {
      if (this.frameHit[frame[i]]) {
        this.covered += total[i];
        i = last[i];
      }
    }
    this.current = -1;
  }

  has(node) {
    return this.frameHit[this.profile.frame[node]] === 1;
  }

  any(from, to) {
    return this.before[to] > this.before[from];
  }

  // The next hit from `node` in preorder, to the right (1) or left (-1), around the end; -1: none.
  next(node, step) {
    const {size} = this.profile;
    if (this.count === 0) return -1;
    let i = node;
    do i = (i + step + size) % size; while (!this.has(i));
    return i;
  }

  // The hit's number in preorder, from 1.
  number(node) {
    let number = 0;
    for (let i = 0; i <= node; i++) number += this.frameHit[this.profile.frame[i]];
    return number;
  }
}
