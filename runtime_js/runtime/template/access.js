/**
 * `value.name` and `value[key]`, as Jinja2's sandbox has them: an attribute of the Python type goes
 * before an item where a dot is written, and after it where brackets are.
 */

import { method } from './methods.js';
import { toText } from './print.js';
import {
  chars,
  fail,
  isInt,
  iterate,
  keyOf,
  Loop,
  Markup,
  Namespace,
  plain,
  Range,
  typeName,
  Undefined,
} from './values.js';

/** @import { Budget, Value } from './values.js' */

/** What a dict may be asked for besides its items and common methods. */
const RARE_OF_DICTS = new Set('clear copy fromkeys pop popitem setdefault update'.split(' '));

/** @param {Budget} budget @param {Value} value @param {string} name @returns {Value} */
export function attribute(budget, value, name) {
  const found = known(budget, value, name);
  return found === undefined ? itemOr(budget, value, name) : found;
}

/** @param {Budget} budget @param {Value} value @param {Value} key @returns {Value} */
export function element(budget, value, key) {
  if (value instanceof Undefined) fail(value.message);
  key = plain(key);
  const found = item(value, key);
  if (found !== undefined || typeof key !== 'string') return itemOr(budget, value, key);
  const own = known(budget, value, key);
  return own === undefined ? absent(budget, value, key) : own;
}

/** @param {Budget} budget @param {Value} value @param {Value} key @returns {Value} */
function itemOr(budget, value, key) {
  const found = item(value, key);
  return found === undefined ? absent(budget, value, key) : found;
}

/** @param {Budget} budget @param {Value} value @param {Value} key */
function absent(budget, value, key) {
  const what = typeof key === 'string' ? 'attribute' : 'element';
  const shown = value === null ? 'None' : `${typeName(value)} object`;
  const kind = shownKey(budget, key);
  return new Undefined(`'${shown}' has no ${what} ${kind}`);
}

/** @param {Budget} budget @param {Value} key @returns {string} */
function shownKey(budget, key) {
  if (key !== null && typeof key === 'object') return typeName(key);
  if (typeof key !== 'string') return toText(budget, key);
  return /^\w*$/.test(key) ? `'${budget.text(key)}'` : budget.rare.repr(budget, key);
}

/** @param {Budget} budget @param {Value} value @param {string} name @returns {Value} undefined: none */
function known(budget, value, name) {
  if (value instanceof Undefined) fail(value.message);
  if (value instanceof Namespace) return value.values.get(name);
  if (value instanceof Loop) return loopAttribute(budget, value, name);
  const type = typeName(value);
  const found = method(budget, value, name);
  if (found || value === null || type === 'dict' && !RARE_OF_DICTS.has(name)) return found;
  return budget.rare.known(budget, value, name);
}

/** @param {Value} value @param {Value} key @returns {Value} undefined where there is none */
function item(value, key) {
  value = plain(value);
  if (value instanceof Map) {
    const place = keyOf(key);
    return place === undefined ? undefined : value.get(place);
  }
  if (!isInt(key) || (typeof value !== 'string' && !Array.isArray(value))) return undefined;
  return (typeof value === 'string' ? chars(value) : value).at(Number(key));
}

/** @param {Budget} budget @param {Loop} loop @param {string} name @returns {Value} */
function loopAttribute(budget, loop, name) {
  const { items, index0 } = loop;
  switch (name) {
    case 'index':
      return index0 + 1;
    case 'index0':
      return index0;
    case 'revindex':
      return items.length - index0;
    case 'revindex0':
      return items.length - index0 - 1;
    case 'first':
      return index0 === 0;
    case 'last':
      return index0 === items.length - 1;
    case 'length':
      return items.length;
    case 'previtem':
      return index0 ? items[index0 - 1] : new Undefined('there is no previous item');
    case 'nextitem':
      return items[index0 + 1] === undefined
        ? new Undefined('there is no next item')
        : items[index0 + 1];
    default:
      return budget.rare.loopAttribute(budget, loop, name);
  }
}

/** @param {Budget} budget @param {Value} bounds @returns {Value} as `range(…)` */
export function range(budget, bounds) {
  const numbers = bounds.map((/** @type {Value} */ bound) =>
    isInt(bound) ? Number(bound) : fail(`'${typeName(bound)}' object is no integer`)
  );
  if (numbers.length < 1 || numbers.length > 3) fail('range takes 1 to 3 arguments');
  const [start, stop, step = 1] = numbers.length < 2 ? [0, numbers[0]] : numbers;
  if (step === 0) fail('range() arg 3 must not be zero');
  const count = Math.max(Math.ceil((stop - start) / step), 0);
  if (count > 100_000) fail('range too big: the maximum is 100000');
  budget.spend(count);
  return Range.from({ length: count }, (_, i) => start + i * step);
}

/** @param {Budget} budget @param {Value[]} args @param {Map<string, Value>} kwargs as `dict(…)` */
export function dict(budget, args, kwargs) {
  const made = new Map();
  if (args.length > 1) fail('dict takes at most 1 argument');
  if (args.length) {
    if (!(args[0] instanceof Map)) fail('dict takes a mapping');
    for (const [key, value] of args[0]) made.set(key, value);
  }
  for (const [key, value] of kwargs) made.set(key, value);
  budget.spend(made.size);
  return made;
}

/** @param {Budget} budget @param {Value} target @param {Value} value @returns {Value[]} */
export function unpack(budget, target, value) {
  const items = iterate(budget, value);
  if (items.length !== target.length) {
    const many = items.length > target.length ? 'too many' : 'not enough';
    fail(`${many} values to unpack (expected ${target.length})`);
  }
  return items;
}

/** @param {Value} value @param {string} text @returns {Value} marked as `value` was */
export const remark = (value, text) => value instanceof Markup ? new Markup(text) : text;
