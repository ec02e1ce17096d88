/** The methods of Python's texts and dicts that templates call; rare/methods.js has more. */

import {
  Callable,
  chars,
  checkKey,
  fail,
  iterate,
  keyOf,
  Markup,
  plain,
  toInt,
  Tuple,
  typeName,
  View,
} from './values.js';

/** @import { Budget, Value } from './values.js' */

// What str.isspace() says; `\s` differs by a few.
export const SPACE =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
/** @param {string} text @param {Value} set characters to take away, or None @param {number} sides
 * 1: left, 2: right, 3: both */
export function strip(text, set, sides) {
  const all = chars(text);
  const space = new RegExp(`^[${SPACE}]$`);
  const own = set === null || set === undefined ? null : new Set(chars(str(set)));
  /** @param {string} char */
  const gone = (char) => own ? own.has(char) : space.test(char);
  let start = 0;
  let end = all.length;
  if (sides & 1) { while (start < end && gone(all[start])) start++; }
  if (sides & 2) { while (start < end && gone(all[end - 1])) end--; }
  return end - start === all.length ? text : all.slice(start, end).join('');
}

/** @param {Value} value @returns {string} of an argument that must be a text */
export function str(value) {
  value = plain(value);
  return typeof value === 'string' ? value : fail(`must be str, not ${typeName(value)}`);
}

/** @param {string} text @param {Value} sep @param {Value} max @param {boolean} right */
export function split(text, sep, max, right) {
  let limit = max === undefined ? -1 : toInt(max);
  if (limit < 0) limit = Infinity;
  /** @type {string[]} */
  const parts = [];
  const blank = sep === null || sep === undefined;
  if (blank) text = strip(text, null, right ? 2 : 1);
  else if (str(sep) === '') fail('empty separator');
  const all = blank ? text.split(new RegExp(`([${SPACE}]+)`)) : between(text, str(sep));
  // `all` is text, separator, text, …: what is beyond the limit stays joined.
  if (right) {
    while (limit-- > 0 && all.length > 1) parts.unshift(...all.splice(-2).slice(1));
    if (!blank || all.join('')) parts.unshift(all.join(''));
  } else {
    let at = 0;
    for (; limit-- > 0 && at + 1 < all.length; at += 2) parts.push(all[at]);
    const rest = all.slice(at).join('');
    if (!blank || rest) parts.push(rest);
  }
  return parts;
}

/** @param {string} text @param {string} sep @returns {string[]} texts with `sep` between them */
function between(text, sep) {
  return text.split(sep).flatMap((part, i) => i ? [sep, part] : [part]);
}

/** @param {string} text @param {Value[]} args of startswith and endswith @param {boolean} start */
function affix(text, args, start) {
  const all = args[0] instanceof Tuple ? [...args[0]] : [args[0]];
  if (args.length > 1) text = cut(text, args);
  return all.map(str).some((part) => start ? text.startsWith(part) : text.endsWith(part));
}

/** @param {string} text @param {Value[]} args a text, start, end */
function cut(text, args) {
  const [from, to] = [1, 2].map((i) => args[i] === null ? undefined : args[i]);
  return chars(text).slice(
    from === undefined ? 0 : toInt(from),
    to === undefined ? undefined : toInt(to),
  ).join('');
}

/** @typedef {(text: string, args: Value[], budget: Budget, kwargs: Map<string, Value>) => Value} Text */

/** @type {Record<string, Text>} */
const STR = {
  endswith: (text, args) => affix(text, args, false),
  join: (text, [items], budget) => {
    const parts = Array.from(iterate(budget, items), str);
    budget.room(parts.reduce((sum, part) => sum + part.length + text.length, 0));
    return parts.join(text);
  },
  lower: (text) => text.toLowerCase(),
  lstrip: (text, [set]) => strip(text, set, 1),
  removeprefix: (text, [part]) => text.startsWith(str(part)) ? text.slice(part.length) : text,
  removesuffix: (text, [part]) =>
    str(part) && text.endsWith(part) ? text.slice(0, -part.length) : text,
  rstrip: (text, [set]) => strip(text, set, 2),
  split: (text, [sep, max]) => split(text, plain(sep), max, false),
  startswith: (text, args) => affix(text, args, true),
  strip: (text, [set]) => strip(text, set, 3),
  upper: (text) => text.toUpperCase(),
};

/** @typedef {(value: Value, args: Value[], budget: Budget) => Value} Method */

/** @type {Record<string, Method>} */
const DICT = {
  get: (dict, [key, other = null]) => {
    checkKey(plain(key));
    const place = keyOf(key);
    return place === undefined || !dict.has(place) ? other : dict.get(place);
  },
  items: (dict) =>
    new View('items', Array.from(dict, (/** @type {Value[]} */ pair) => Tuple.from(pair))),
  keys: (dict) => new View('keys', [...dict.keys()]),
  values: (dict) => new View('values', [...dict.values()]),
};

/**
 * How many arguments a method takes: [least, most]; others take none.
 * @type {Record<string, number[]>}
 */
const COUNTS = {
  endswith: [1, 3],
  get: [1, 2],
  join: [1, 1],
  lstrip: [0, 1],
  removeprefix: [1, 1],
  removesuffix: [1, 1],
  rstrip: [0, 1],
  split: [0, 2],
  startswith: [1, 3],
  strip: [0, 1],
};

/** @type {Record<string, Record<string, Text | Method>>} */
const TABLES = { str: STR, dict: DICT };

/**
 * @typedef {object} Methods
 * @property {Record<string, Record<string, Text | Method>>} tables by the type's name
 * @property {Record<string, number[]>} counts
 *
 * @param {Budget} budget
 * @param {Value} value
 * @param {string} name
 * @param {Methods} [methods]
 * @returns {Callable | undefined} undefined: none of `methods` has that name
 */
export function method(
  budget,
  value,
  name,
  { tables, counts } = { tables: TABLES, counts: COUNTS },
) {
  const type = typeName(value);
  if (!Object.hasOwn(tables, type) || !Object.hasOwn(tables[type], name)) return undefined;
  const self = plain(value);
  const run = tables[type][name];
  const [least, most] = Object.hasOwn(counts, name) ? counts[name] : [0, 0];
  return new Callable((args, kwargs) => {
    if (args.length < least || args.length > most || kwargs.size && name !== 'format') {
      fail(`${name}() does not take these arguments`);
    }
    if (typeof self === 'string') budget.text(self);
    else budget.spend(self.size ?? self.length);
    const made = /** @type {Text} */ (run)(self, args, budget, kwargs);
    if (typeof made === 'string') budget.text(made);
    else if (Array.isArray(made)) budget.spend(made.length);
    return value instanceof Markup && typeof made === 'string' ? new Markup(made) : made;
  });
}
