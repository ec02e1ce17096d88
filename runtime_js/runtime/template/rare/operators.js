/** What Python's operators do to values that few templates use them with. */

import { alike, equal, unsupported } from '../operators.js';
import { toText } from '../print.js';
import {
  asNumber,
  fail,
  int,
  Markup,
  plain,
  Range,
  Tuple,
  typeName,
  Undefined,
} from '../values.js';
import { compareTexts, repr } from './print.js';

/** @import { Budget, Value } from '../values.js' */

/** @type {Record<string, string>} */
const HTML = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;', '"': '&#34;' };

/** @param {Budget} budget @param {Value} a @param {Value} b */
export function addMarkup(budget, a, b) {
  /** @param {Value} part */
  const escaped = (part) => {
    if (part instanceof Markup) return part.text;
    if (typeof part !== 'string') unsupported('+', a, b);
    return budget.text(part).replace(/[&<>'"]/g, (/** @type {string} */ char) => HTML[char]);
  };
  return new Markup(budget.text(escaped(a) + escaped(b)));
}

/** @param {Budget} budget @param {Value} value @param {number} times @param {Value} by @returns {Value} */
export function repeat(budget, value, times, by) {
  times = Math.max(times, 0);
  if (value instanceof Markup) return new Markup(repeat(budget, value.text, times, by));
  if (typeof value === 'string') {
    budget.room(value.length * times);
    return value.repeat(times);
  }
  if (!Array.isArray(value) || value instanceof Range) return unsupported('*', value, by);
  budget.room(32 * value.length * times);
  const made = value instanceof Tuple ? new Tuple() : [];
  for (let i = 0; i < times; i++) for (const item of value) made.push(item);
  return made;
}

/**
 * `text % value`: %s, %r, %d, %i and %%, without flags.
 * @param {Budget} budget @param {string} text @param {Value} value
 */
export function percent(budget, text, value) {
  const args = value instanceof Tuple ? [...value] : [value];
  let next = 0;
  const result = budget.text(text).replace(/%(.|$)/gsu, (found, kind) => {
    if (kind === '%') return '%';
    if (!kind || !'srdi'.includes(kind)) fail(`'${found}' is not supported in a format`);
    if (next === args.length) fail('not enough arguments for format string');
    const arg = args[next++];
    if (kind === 's') return toText(budget, arg);
    if (kind === 'r') return repr(budget, arg);
    const number = asNumber(arg);
    if (number === undefined || !Number.isFinite(number)) {
      fail(`%d format: a real number is required, not ${typeName(arg)}`);
    }
    return String(int(Math.trunc(Number(number))));
  });
  const ignored = value instanceof Map || value instanceof Undefined ||
    Array.isArray(value) && !(value instanceof Tuple);
  if (next < args.length && !ignored) fail('not all arguments converted during string formatting');
  return budget.text(result);
}

/** @param {Budget} budget @param {Value} a @param {Value} b @param {string} op @param {number} [depth]
 * @returns {number} negative, zero, positive; NaN where nothing holds */
export function orderOf(budget, a, b, op, depth = 0) {
  budget.spend(1);
  if (depth > 200) fail('a value is nested too deep');
  for (const side of [a, b]) if (side instanceof Undefined) fail(side.message);
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(budget.text(a), b);
  const x = asNumber(a);
  const y = asNumber(b);
  if (x !== undefined && y !== undefined) return x === y ? 0 : x - y;
  if (!alike(a, b) || a instanceof Range) {
    fail(`'${op}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
  }
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (!equal(budget, a[i], b[i])) {
      return orderOf(budget, plain(a[i]), plain(b[i]), op, depth + 1);
    }
  }
  return a.length - b.length;
}
