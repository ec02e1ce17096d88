/**
 * Ranges of integers → nodes that match their decimal digits.
 *
 * @import { Node, Nodes } from './nodes.js'
 */

const DIGITS = '0123456789';

/**
 * @param {Nodes} nodes
 * @param {number} min an integer
 * @param {number} max an integer, at least `min`
 */
export function integerRange(nodes, min, max) {
  /** @type {Node[]} */
  const parts = [];
  if (min < 0) parts.push(nodes.seq('-', natural(nodes, Math.max(1, -max), -min)));
  if (max >= 0) parts.push(natural(nodes, Math.max(0, min), max));
  return nodes.alt(...parts);
}

/** @param {Nodes} nodes @param {number} min at least 0 @param {number} max */
function natural(nodes, min, max) {
  /** @type {Node[]} */
  const parts = [];
  for (let low = min; low <= max;) {
    const high = Math.min(max, 10 ** String(low).length - 1);
    parts.push(sameLength(nodes, String(low), String(high)));
    low = high + 1;
  }
  return nodes.alt(...parts);
}

/**
 * All numbers between two of equal length.
 *
 * @param {Nodes} nodes
 * @param {string} low
 * @param {string} high
 * @returns {Node}
 */
function sameLength(nodes, low, high) {
  const size = low.length - 1;
  if (/^0*$/.test(low) && /^9*$/.test(high)) {
    return nodes.rep(nodes.chars(DIGITS), size + 1, size + 1);
  }
  const [first, last] = [Number(low[0]), Number(high[0])];
  const [lows, highs] = [low.slice(1), high.slice(1)];
  if (first === last) return nodes.seq(low[0], size > 0 ? sameLength(nodes, lows, highs) : '');
  if (size === 0) return nodes.chars(DIGITS.slice(first, last + 1));
  const from = /^0*$/.test(lows) ? first : first + 1;
  const to = /^9*$/.test(highs) ? last : last - 1;
  const any = nodes.rep(nodes.chars(DIGITS), size, size);
  return nodes.alt(
    ...(from > first ? [nodes.seq(low[0], sameLength(nodes, lows, '9'.repeat(size)))] : []),
    ...(from <= to ? [nodes.seq(nodes.chars(DIGITS.slice(from, to + 1)), any)] : []),
    ...(to < last ? [nodes.seq(high[0], sameLength(nodes, '0'.repeat(size), highs))] : []),
  );
}
