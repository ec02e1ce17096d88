/** Python's operators; rare/operators.js has what they do to few values. */

import {
  asNumber,
  chars,
  checkKey,
  fail,
  Float,
  int,
  isInt,
  iterate,
  keyOf,
  Markup,
  plain,
  Range,
  toInt,
  typeName,
  Undefined,
} from './values.js';

/** @import { Budget, Value } from './values.js' */

/** @param {Value} a @param {Value} b whether both are lists, both tuples, or both ranges */
export const alike = (a, b) => Array.isArray(a) && Array.isArray(b) && typeName(a) === typeName(b);

/** @param {Budget} budget @param {string} op @param {Value} a @param {Value} b @returns {Value} */
export function binary(budget, op, a, b) {
  if (a instanceof Undefined) fail(a.message);
  if (b instanceof Undefined && !(op === '%' && typeof plain(a) === 'string')) fail(b.message);
  const x = asNumber(a);
  const y = asNumber(b);
  if (x !== undefined && y !== undefined) return arithmetic(op, x, y, isInt(a) && isInt(b));
  if (op === '+') return add(budget, a, b);
  if (op === '*' && isInt(b)) return budget.rare.repeat(budget, a, Number(b), b);
  if (op === '*' && isInt(a)) return budget.rare.repeat(budget, b, Number(a), a);
  if (op === '%' && typeof a === 'string') return budget.rare.percent(budget, a, b);
  return unsupported(op, a, b);
}

/** @param {string} op @param {Value} a @param {Value} b @returns {never} */
export function unsupported(op, a, b) {
  return fail(`unsupported operand type(s) for ${op}: '${typeName(a)}' and '${typeName(b)}'`);
}

/** @param {string} op @param {number} x @param {number} y @param {boolean} whole */
function arithmetic(op, x, y, whole) {
  if ('+-*'.includes(op)) {
    const z = op === '+' ? x + y : op === '-' ? x - y : x * y;
    return whole ? int(z) : new Float(z);
  }
  if (y === 0) fail('division by zero');
  if (op === '/') return new Float(x / y);
  let rest = x % y;
  let quotient = (x - rest) / y;
  if (rest !== 0 && rest < 0 !== y < 0) {
    rest += y;
    quotient -= 1;
  }
  if (whole) return int(op === '%' ? rest : quotient);
  if (op === '%') return new Float(rest === 0 ? (y < 0 ? -0 : 0) : rest);
  if (quotient === 0) return new Float(x / y < 0 ? -0 : 0);
  const floor = Math.floor(quotient);
  return new Float(quotient - floor > 0.5 ? floor + 1 : floor);
}

/** @param {Budget} budget @param {Value} a @param {Value} b */
function add(budget, a, b) {
  if (a instanceof Markup || b instanceof Markup) return budget.rare.addMarkup(budget, a, b);
  if (typeof a === 'string' && typeof b === 'string') {
    budget.room(a.length + b.length);
    return a + b;
  }
  if (alike(a, b) && !(a instanceof Range)) {
    budget.room(32 * (a.length + b.length));
    return a.concat(b);
  }
  return unsupported('+', a, b);
}

/** @param {Value} value @param {string} op */
export function unary(value, op) {
  if (value instanceof Undefined) fail(value.message);
  const n = asNumber(value);
  if (n === undefined) return fail(`bad operand type for unary ${op}: '${typeName(value)}'`);
  const signed = op === '-' ? -n : n;
  return isInt(value) ? int(signed) : new Float(signed);
}

/** @param {Budget} budget @param {Value} a @param {Value} b @param {number} [depth] @returns {boolean} */
export function equal(budget, a, b, depth = 0) {
  budget.spend(1);
  if (depth > 200) fail('a value is nested too deep');
  a = plain(a);
  b = plain(b);
  if (typeof a === 'string') return a === b && budget.text(a) === b;
  const x = asNumber(a);
  if (x !== undefined) return x === asNumber(b);
  if (a instanceof Undefined) return b instanceof Undefined;
  if (alike(a, b)) {
    return a.length === b.length &&
      a.every((/** @type {Value} */ item, /** @type {number} */ i) =>
        item === b[i] || equal(budget, item, b[i], depth + 1)
      );
  }
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size &&
      [...a].every(([key, item]) => b.has(key) && equal(budget, item, b.get(key), depth + 1));
  }
  return a === b;
}

/** @param {Budget} budget @param {string} op @param {Value} a @param {Value} b @returns {boolean} */
export function compare(budget, op, a, b) {
  switch (op) {
    case '==':
      return equal(budget, a, b);
    case '!=':
      return !equal(budget, a, b);
    case 'in':
      return contains(budget, b, a);
    case 'not in':
      return !contains(budget, b, a);
  }
  const order = orderOf(budget, plain(a), plain(b), op);
  return op === '<' ? order < 0 : op === '<=' ? order <= 0 : op === '>' ? order > 0 : order >= 0;
}

/** @param {Budget} budget @param {Value} a @param {Value} b @param {string} op
 * @returns {number} negative, zero, positive; NaN where nothing holds */
function orderOf(budget, a, b, op) {
  const [x, y] = [asNumber(a), asNumber(b)];
  if (x === undefined || y === undefined) return budget.rare.orderOf(budget, a, b, op);
  budget.spend(1);
  return x === y ? 0 : x - y;
}

/** @param {Budget} budget @param {Value} all @param {Value} item as `item in all` */
function contains(budget, all, item) {
  all = plain(all);
  item = plain(item);
  if (typeof all === 'string') {
    if (item instanceof Undefined) fail(item.message);
    if (typeof item !== 'string') fail(`'in <string>' requires string, not ${typeName(item)}`);
    return budget.text(all).includes(item);
  }
  if (all instanceof Map) {
    checkKey(item);
    return all.has(keyOf(item));
  }
  return iterate(budget, all).some((/** @type {Value} */ each) =>
    each === item || equal(budget, each, item)
  );
}

/** @param {Budget} budget @param {Value} value @param {Value[]} bounds start, stop, step @returns {Value} */
export function slice(budget, value, bounds) {
  if (value instanceof Undefined) fail(value.message);
  if (value instanceof Markup) return new Markup(slice(budget, value.text, bounds));
  if (typeof value !== 'string' && !Array.isArray(value)) {
    fail(`'${typeName(value)}' object is not subscriptable`);
  }
  const all = typeof value === 'string' ? chars(value) : value;
  const n = all.length;
  const [start, stop, step] = bounds.map((bound) => bound === null ? null : toInt(bound));
  const by = step ?? 1;
  if (by === 0) fail('slice step cannot be zero');
  /** @param {number | null} bound @param {number} other */
  const place = (bound, other) => {
    if (bound === null) return other;
    const from = bound < 0 ? bound + n : bound;
    return by > 0 ? Math.min(Math.max(from, 0), n) : Math.min(Math.max(from, -1), n - 1);
  };
  const end = place(stop, by > 0 ? n : -1);
  const made = Array.isArray(value) ? value.slice(0, 0) : [];
  for (let i = place(start, by > 0 ? 0 : n - 1); by > 0 ? i < end : i > end; i += by) {
    made.push(all[i]);
  }
  budget.room(made.length * (typeof value === 'string' ? 1 : 32));
  return typeof value === 'string' ? made.join('') : made;
}
