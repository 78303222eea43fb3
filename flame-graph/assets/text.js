// Numbers and names as text.

// What is invisible or turns the direction of writing: controls, bidi marks, zero-width
// characters, and halves of surrogate pairs. Shown by their number, so that no name can
// pretend to be another.
const UNSEEN = new RegExp(
  '[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb]' +
  '|[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]', 'g');

// The longest name that a tooltip or a list shows; the page itself keeps all of it.
const LONGEST_NAME = 400;

function visible(name) {
  const text = name.length > LONGEST_NAME
    ? `${name.slice(0, LONGEST_NAME)}… (${name.length.toLocaleString('en')} characters)`
    : name;
  return text.replace(UNSEEN, (character) =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

// `com/example/Order.total` -> `Order.total`; what has no package stays.
function withoutPackage(name) {
  return name.replace(/^(?:[a-z_][\w$]*[./])+(?=[A-Z])/, '');
}

function percent(part, whole) {
  if (whole === 0) return '0 %';
  const share = part / whole * 100;
  if (share === 100) return '100 %';
  if (share >= 0.005 || share === 0) return `${share.toFixed(2)} %`;
  return '< 0.01 %';
}

// The same in whole numbers: all of it and nothing are said of nothing else.
function roughPercent(part, whole) {
  const share = part / whole * 100;
  if (share > 0 && share < 1) return '< 1 %';
  if (share > 99 && share < 100) return '> 99 %';
  return `${Math.round(share)} %`;
}

const TIMES = [['s', 1e9], ['ms', 1e6], ['µs', 1e3]];
const SIZES = [['TiB', 2 ** 40], ['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]];

function quantity(value, unit) {
  const scales = unit === 'ns' ? TIMES : unit === 'bytes' ? SIZES : [];
  for (const [name, size] of scales) {
    if (value >= size) {
      return `${(value / size).toLocaleString('en', {maximumFractionDigits: 2})} ${name}`;
    }
  }
  return `${value.toLocaleString('en')} ${unit}`;
}
