// Colours by kind of frame. Hue and lightness keep them apart in all shades, also for the
// colour-blind (CIEDE2000 of 5 and more by the simulation of Machado and others, 13 and more for
// others); lightness tells a search hit from all the rest, and the ink has a contrast of 4.7.

// The first four are ways to run a method and share its box; `part` names them there.
const KINDS = [
  {name: 'Java, interpreted', part: 'interpreted', light: [0xc4, 0x9a, 0xbc], dark: [0xae, 0x86, 0xaa]},
  {name: 'Java, C1', part: 'C1', light: [0xf6, 0xee, 0x90], dark: [0xc4, 0xc2, 0x72]},
  {name: 'Java, JIT', part: 'JIT', light: [0x96, 0xd9, 0xb4], dark: [0x74, 0xb8, 0x97]},
  {name: 'Java, inlined', part: 'inlined', light: [0x8d, 0xdf, 0xfa], dark: [0x52, 0xc4, 0xf2]},
  {name: 'Native', light: [0xd6, 0x9c, 0x34], dark: [0xb6, 0x8a, 0x2e]},
  {name: 'C++', light: [0xec, 0x88, 0x72], dark: [0xc2, 0x78, 0x64]},
  {name: 'Kernel', light: [0x82, 0xa4, 0xf2], dark: [0x52, 0x92, 0xda]},
  {name: 'JVM and threads', light: [0xcd, 0xd2, 0xd8], dark: [0x8a, 0x8e, 0x96]},
  {name: 'Class of the objects', light: [0x8c, 0x94, 0x84], dark: [0xb2, 0xc4, 0xbb]},
];
const ROOT_KIND = KINDS.length;
const ROOT_COLOUR = {light: [0xdf, 0xe3, 0xe8], dark: [0x98, 0xa1, 0xae]};
const PAPER = {light: [0xff, 0xff, 0xff], dark: [0x16, 0x1a, 0x20]};
const HIT = {light: [0x9c, 0x0d, 0x74], dark: [0xff, 0xa6, 0xe8]};
const INK = {light: '#14171c', dark: '#0d0f12'};
const HIT_INK = {light: '#ffffff', dark: '#25001b'};
const EDGE = {light: '#14171c', dark: '#ffffff'};

// Shades of one kind, so that neighbours can be told apart.
const SHADES = [1, 0.965, 0.93, 0.9];
// How far a frame moves towards the paper: above the zoomed frame, and beside a search's hits.
const ABOVE = 0.5;
const BESIDE = 0.62;

// One pixel as ImageData has it on a little-endian machine, which all that run a browser are.
function pixel([red, green, blue]) {
  return (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
}

function towards(colour, paper, part) {
  return colour.map((value, i) => Math.round(value + (paper[i] - value) * part));
}

class Colours {
  constructor(profile, theme) {
    const paper = PAPER[theme];
    this.theme = theme;
    this.paper = pixel(paper);
    this.hit = pixel(HIT[theme]);
    this.ink = INK[theme];
    this.hitInk = HIT_INK[theme];
    this.edge = EDGE[theme];
    const frames = profile.frameName.length;
    this.plain = new Uint32Array(frames);
    this.above = new Uint32Array(frames);
    this.beside = new Uint32Array(frames);
    for (let frame = 0; frame < frames; frame++) {
      const kind = profile.frameKind[frame];
      const base = kind === ROOT_KIND ? ROOT_COLOUR[theme] : (KINDS[kind] ?? KINDS.at(-1))[theme];
      // Spread by the golden ratio: numbers near each other get different shades.
      const shade = SHADES[(Math.imul(profile.frameName[frame], 0x9e3779b1) >>> 30)];
      const colour = base.map((value) => Math.round(value * shade));
      this.plain[frame] = pixel(colour);
      this.above[frame] = pixel(towards(colour, paper, ABOVE));
      this.beside[frame] = pixel(towards(colour, paper, BESIDE));
    }
  }
}

function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}
