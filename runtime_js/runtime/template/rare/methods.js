/** The methods of Python's texts, lists, tuples and dicts that few templates call. */

import { method, SPACE, split, str } from '../methods.js';
import { equal } from '../operators.js';
import { toText } from '../print.js';
import { chars, fail, plain, textLength, toInt, Tuple } from '../values.js';

/** @import { Budget, Value } from '../values.js' */
/** @import { Method, Text } from '../methods.js' */

// deno-lint-ignore no-control-regex -- they end a line in Python
const LINE = /\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/;
const DIGITS =
  /^[\p{Nd}\xb2\xb3\xb9\u1369-\u1371\u19da\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792]+$/u;

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

/** @type {Record<string, Text>} */
const STR = {
  capitalize: (text) => capitalize(text),
  count: (text, [part]) => str(part) ? text.split(part).length - 1 : textLength(text) + 1,
  find: (text, args) => find(text, args, false),
  format: (text, args, budget, kwargs) => format(budget, text, args, kwargs),
  index: (text, args) => found(find(text, args, false)),
  isalnum: (text) => /^[\p{L}\p{N}]+$/u.test(text),
  isalpha: (text) => /^\p{L}+$/u.test(text),
  isdigit: (text) => DIGITS.test(text),
  islower: isLower,
  isspace: (text) => new RegExp(`^[${SPACE}]+$`).test(text),
  isupper: isUpper,
  partition: (text, [sep]) => partition(text, plain(sep), false),
  replace: (text, [from, to, count], budget) => {
    const parts = str(from) ? text.split(from).length : text.length + 1;
    budget.room(text.length + parts * str(to).length);
    return replace(text, from, to, count === undefined ? -1 : toInt(count));
  },
  rfind: (text, args) => find(text, args, true),
  rpartition: (text, [sep]) => partition(text, plain(sep), true),
  rsplit: (text, [sep, max]) => split(text, plain(sep), max, true),
  splitlines: (text) => lines(text),
  title: (text) => title(text),
};

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

const { copy: _, ...TUPLE } = LIST;
const METHODS = {
  tables: {
    str: STR,
    list: LIST,
    tuple: TUPLE,
    dict: { copy: (/** @type {Value} */ dict) => new Map(dict) },
  },
  counts: {
    count: [1, 1],
    find: [1, 1],
    format: [0, Infinity],
    index: [1, 1],
    partition: [1, 1],
    replace: [2, 3],
    rfind: [1, 1],
    rpartition: [1, 1],
    rsplit: [0, 2],
  },
};

/** @param {Budget} budget @param {Value} value @param {string} name */
export const rareMethod = (budget, value, name) => method(budget, value, name, METHODS);
