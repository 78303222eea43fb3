// Colours by kind of frame. The hues keep apart for the colour-blind (after the set of Okabe and
// Ito), and lightness tells a search hit from all the rest.

const KINDS = [
  {name: 'Java, interpreted', light: [0xd9, 0xa3, 0xc6], dark: [0xb8, 0x7f, 0xa4]},
  {name: 'Java, C1', light: [0xee, 0xe0, 0x76], dark: [0xc2, 0xb4, 0x4c]},
  {name: 'Java, JIT', light: [0x74, 0xcb, 0xac], dark: [0x48, 0xa4, 0x85]},
  {name: 'Java, inlined', light: [0x9f, 0xd8, 0xf3], dark: [0x6a, 0xae, 0xcf]},
  {name: 'Native', light: [0xf3, 0xb8, 0x55], dark: [0xcb, 0x92, 0x37]},
  {name: 'C++', light: [0xee, 0x96, 0x69], dark: [0xc9, 0x74, 0x48]},
  {name: 'Kernel', light: [0x8f, 0xb2, 0xe8], dark: [0x6c, 0x90, 0xcc]},
  {name: 'JVM and threads', light: [0xc3, 0xc8, 0xcf], dark: [0x86, 0x8d, 0x98]},
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
