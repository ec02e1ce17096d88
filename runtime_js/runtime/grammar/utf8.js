/**
 * Ranges of code points → nodes that match their UTF-8, or how JSON writes them in a string.
 *
 * @import { Node, Nodes } from './nodes.js'
 */

/** @typedef {readonly [number, number]} Range both ends included */

export const LAST = 0x10ffff;
const SURROGATES = /** @type {const} */ ([0xd800, 0xdfff]);
/** Ends of the code points that take 1 to 4 bytes. */
const ENDS = [0x7f, 0x7ff, 0xffff, LAST];
/** What JSON has a short escape for. */
const SHORT = new Map([[8, 'b'], [9, 't'], [10, 'n'], [12, 'f'], [13, 'r'], [34, '"'], [92, '\\']]);

/**
 * Sorted, and what touches joined.
 * @param {readonly Range[]} ranges
 * @returns {Range[]}
 */
export function union(ranges) {
  /** @type {[number, number][]} */
  const joined = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

/**
 * Every code point that is in no range.
 * @param {readonly Range[]} ranges
 * @returns {Range[]}
 */
export function complement(ranges) {
  /** @type {Range[]} */
  const gaps = [];
  let next = 0;
  for (const [from, to] of union(ranges)) {
    if (from > next) gaps.push([next, from - 1]);
    next = to + 1;
  }
  return next <= LAST ? [...gaps, [next, LAST]] : gaps;
}

/**
 * @param {readonly Range[]} a
 * @param {readonly Range[]} b
 */
export function without(a, b) {
  return complement([...complement(a), ...b]);
}

/**
 * One character of a JSON string as `JSON.stringify` writes it: escaped where it must be, else as it
 * is. Surrogates have no UTF-8 and are left out.
 *
 * @param {Nodes} nodes
 * @param {readonly Range[]} ranges
 */
export function jsonCharacter(nodes, ranges) {
  const plain = without(ranges, [[0, 0x1f], [0x22, 0x22], [0x5c, 0x5c], SURROGATES]);
  /** @type {Node[]} */
  const parts = [];
  for (const [from, to] of union(ranges)) {
    for (let code = from; code <= Math.min(to, 0x5c); code++) {
      const short = SHORT.get(code);
      if (short !== undefined) parts.push(nodes.text('\\' + short));
      else if (code < 0x20) parts.push(nodes.seq(`\\u00${code < 16 ? 0 : 1}`, hex(nodes, code)));
    }
  }
  return nodes.alt(utf8(nodes, plain), ...parts);
}

/** The last digit in either case. @param {Nodes} nodes @param {number} code */
function hex(nodes, code) {
  const digit = (code & 15).toString(16);
  return nodes.chars(digit + digit.toUpperCase());
}

/** @param {Nodes} nodes @param {readonly Range[]} ranges without surrogates @returns {Node} */
function utf8(nodes, ranges) {
  /** @type {Range[]} */
  const single = [];
  /** @type {Node[]} */
  const longer = [];
  for (const [from, to] of ranges) {
    for (let start = from, size = 0; size < 4; size++) {
      const end = Math.min(to, ENDS[size]);
      if (start > end) continue;
      if (size === 0) single.push([start, end]);
      else longer.push(...bytes(nodes, encode(start, size), encode(end, size)));
      start = end + 1;
    }
  }
  return single.length > 0 ? nodes.alt(nodes.set(single), ...longer) : nodes.alt(...longer);
}

/** @param {number} code @param {number} more bytes after the first */
function encode(code, more) {
  const marks = [0, 0xc0, 0xe0, 0xf0];
  return Array.from(
    { length: more + 1 },
    (_, i) => i === 0 ? marks[more] | code >> 6 * more : 0x80 | code >> 6 * (more - i) & 0x3f,
  );
}

/**
 * All between two encodings of one length: a first part that the low end limits, full ones, and a
 * last part that the high end limits.
 *
 * @param {Nodes} nodes
 * @param {number[]} low
 * @param {number[]} high
 * @returns {Node[]}
 */
function bytes(nodes, [low, ...lows], [high, ...highs]) {
  if (lows.length === 0) return [nodes.set([[low, high]])];
  const least = lows.map(() => 0x80);
  const most = lows.map(() => 0xbf);
  const fromLeast = lows.every((byte) => byte === 0x80);
  const toMost = highs.every((byte) => byte === 0xbf);
  /** @param {number} from @param {number} to @param {number[]} a @param {number[]} b */
  const part = (from, to, a, b) =>
    from > to ? [] : [nodes.seq(nodes.set([[from, to]]), nodes.alt(...bytes(nodes, a, b)))];
  if (low === high) return part(low, low, lows, highs);
  return [
    ...(fromLeast ? [] : part(low, low, lows, most)),
    ...part(fromLeast ? low : low + 1, toMost ? high : high - 1, least, most),
    ...(toMost ? [] : part(high, high, least, highs)),
  ];
}
