/** The methods of Python's texts, lists, tuples and dicts that templates may call. */

import { equal } from './operators.js';
import { toText } from './print.js';
import {
  Callable,
  chars,
  checkKey,
  fail,
  iterate,
  keyOf,
  Markup,
  plain,
  textLength,
  toInt,
  Tuple,
  typeName,
  View,
} from './values.js';

/** @import { Budget, Value } from './values.js' */

// What str.isspace() says; `\s` differs by a few.
const SPACE =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
// deno-lint-ignore no-control-regex -- they end a line in Python
const LINE = /\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/;
const DIGITS =
  /^[\p{Nd}\xb2\xb3\xb9\u1369-\u1371\u19da\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792]+$/u;

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
function split(text, sep, max, right) {
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

/** @param {string} text @returns {string[]} as `str.splitlines()` */
export function lines(text) {
  const parts = text.split(LINE);
  if (parts.at(-1) === '') parts.pop();
  return parts;
}

/** @param {string} text @param {string} from @param {string} to @param {number} count */
export function replace(text, from, to, count) {
  if (count < 0) count = Infinity;
  if (from === '') {
    const all = chars(text);
    const made = all.map((char, i) => (i < count ? to : '') + char).join('');
    return made + (all.length < count ? to : '');
  }
  const parts = text.split(from);
  const head = parts.slice(0, count === Infinity ? undefined : count + 1);
  const tail = parts.slice(head.length);
  return head.join(to) + tail.map((part) => from + part).join('');
}

/** @param {string} text */
export function capitalize(text) {
  const [first = '', ...rest] = chars(text);
  const [head = '', ...tail] = first.toUpperCase(); // ß becomes Ss
  return head + [...tail, ...rest].join('').toLowerCase();
}

/** @param {string} text @returns {string} as `str.title()` */
const title = (text) => text.replace(/\p{Cased}[\p{Cased}]*/gu, (word) => capitalize(word));

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

/** @param {string} text @param {Value[]} args @param {boolean} right @returns {number} or -1 */
function find(text, args, right) {
  if (args.length > 1) fail('find with bounds is not supported');
  const at = right ? text.lastIndexOf(str(args[0])) : text.indexOf(str(args[0]));
  return at < 0 ? at : textLength(text.slice(0, at));
}

/** @param {Value} number */
const found = (number) => number < 0 ? fail('substring not found') : number;

/** @param {string} text @param {Value} sep @param {boolean} right */
function partition(text, sep, right) {
  const at = right ? text.lastIndexOf(str(sep)) : text.indexOf(str(sep));
  if (!sep) fail('empty separator');
  if (at < 0) return Tuple.from(right ? ['', '', text] : [text, '', '']);
  return Tuple.from([text.slice(0, at), sep, text.slice(at + sep.length)]);
}

/**
 * `str.format` with `{}`, `{0}` and `{name}` alone.
 * @param {Budget} budget @param {string} text @param {Value[]} args @param {Map<string, Value>} kwargs
 */
function format(budget, text, args, kwargs) {
  let next = 0;
  return text.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/gu, (all, field) => {
    if (all === '{{' || all === '}}') return all[0];
    if (field === undefined || /[^\p{L}\p{N}_]/u.test(field)) {
      fail(`the format field '${all}' is not supported`);
    }
    if (field === '' ? next < 0 : /^\d/.test(field) && next > 0) {
      fail('a format numbers all of its fields, or none');
    }
    if (/^\d/.test(field)) next = -1;
    const value = field === ''
      ? args[next++]
      : /^\d+$/.test(field)
      ? args[Number(field)]
      : kwargs.get(field);
    return value === undefined
      ? fail(`nothing for the format field '${all}'`)
      : toText(budget, value);
  });
}

/** @param {RegExp} any @param {RegExp} none */
const cased = (any, none) => (/** @type {string} */ text) => any.test(text) && !none.test(text);
export const isLower = cased(/\p{Lowercase}/u, /[\p{Uppercase}\p{Lt}]/u);
export const isUpper = cased(/\p{Uppercase}/u, /[\p{Lowercase}\p{Lt}]/u);

/** @typedef {(text: string, args: Value[], budget: Budget, kwargs: Map<string, Value>) => Value} Text */

/** @type {Record<string, Text>} */
const STR = {
  capitalize: (text) => capitalize(text),
  count: (text, [part]) => str(part) ? text.split(part).length - 1 : textLength(text) + 1,
  endswith: (text, args) => affix(text, args, false),
  find: (text, args) => find(text, args, false),
  format: (text, args, budget, kwargs) => format(budget, text, args, kwargs),
  index: (text, args) => found(find(text, args, false)),
  isalnum: (text) => /^[\p{L}\p{N}]+$/u.test(text),
  isalpha: (text) => /^\p{L}+$/u.test(text),
  isdigit: (text) => DIGITS.test(text),
  islower: isLower,
  isspace: (text) => new RegExp(`^[${SPACE}]+$`).test(text),
  isupper: isUpper,
  join: (text, [items], budget) => {
    const parts = Array.from(iterate(budget, items), str);
    budget.room(parts.reduce((sum, part) => sum + part.length + text.length, 0));
    return parts.join(text);
  },
  lower: (text) => text.toLowerCase(),
  lstrip: (text, [set]) => strip(text, set, 1),
  partition: (text, [sep]) => partition(text, plain(sep), false),
  removeprefix: (text, [part]) => text.startsWith(str(part)) ? text.slice(part.length) : text,
  removesuffix: (text, [part]) =>
    str(part) && text.endsWith(part) ? text.slice(0, -part.length) : text,
  replace: (text, [from, to, count], budget) => {
    const parts = str(from) ? text.split(from).length : text.length + 1;
    budget.room(text.length + parts * str(to).length);
    return replace(text, from, to, count === undefined ? -1 : toInt(count));
  },
  rfind: (text, args) => find(text, args, true),
  rpartition: (text, [sep]) => partition(text, plain(sep), true),
  rsplit: (text, [sep, max]) => split(text, plain(sep), max, true),
  rstrip: (text, [set]) => strip(text, set, 2),
  split: (text, [sep, max]) => split(text, plain(sep), max, false),
  splitlines: (text) => lines(text),
  startswith: (text, args) => affix(text, args, true),
  strip: (text, [set]) => strip(text, set, 3),
  title: (text) => title(text),
  upper: (text) => text.toUpperCase(),
};

/** @typedef {(value: Value, args: Value[], budget: Budget) => Value} Method */

/** @type {Record<string, Method>} */
const LIST = {
  copy: (list) => list.slice(),
  count: (list, [item], budget) =>
    list.filter((/** @type {Value} */ each) => equal(budget, each, item)).length,
  index: (list, [item], budget) => {
    const at = list.findIndex((/** @type {Value} */ each) => equal(budget, each, item));
    return at < 0 ? fail('a value is not in the list') : at;
  },
};

/** @type {Record<string, Method>} */
const DICT = {
  copy: (dict) => new Map(dict),
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

const { copy: _, ...TUPLE } = LIST;
/** @type {Record<string, Record<string, Text | Method>>} */
const TABLES = { str: STR, list: LIST, tuple: TUPLE, dict: DICT };

/** How many arguments a method takes: [least, most]; others take none. @type {Record<string, number[]>} */
const COUNTS = {
  count: [1, 1],
  endswith: [1, 3],
  find: [1, 1],
  format: [0, Infinity],
  get: [1, 2],
  index: [1, 1],
  join: [1, 1],
  lstrip: [0, 1],
  partition: [1, 1],
  removeprefix: [1, 1],
  removesuffix: [1, 1],
  replace: [2, 3],
  rfind: [1, 1],
  rpartition: [1, 1],
  rsplit: [0, 2],
  rstrip: [0, 1],
  split: [0, 2],
  startswith: [1, 3],
  strip: [0, 1],
};

/** @param {string} type @param {string} name */
export const isMethod = (type, name) =>
  Object.hasOwn(TABLES, type) && Object.hasOwn(TABLES[type], name);

/** @param {Budget} budget @param {Value} value @param {string} name one that its type has */
export function method(budget, value, name) {
  const self = plain(value);
  const run = TABLES[typeName(self)][name];
  const [least, most] = Object.hasOwn(COUNTS, name) ? COUNTS[name] : [0, 0];
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
