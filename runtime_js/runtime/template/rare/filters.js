/** Jinja2's filters that few templates use, with Hugging Face's `tojson`. */

import { filter, texts } from '../filters.js';
import { str, strip } from '../methods.js';
import { binary } from '../operators.js';
import { flag, toText } from '../print.js';
import { test } from '../tests.js';
import {
  asNumber,
  chars,
  fail,
  Float,
  fromJson,
  int,
  isInt,
  iterate,
  keyOf,
  Lazy,
  Markup,
  plain,
  toInt,
  truth,
  Tuple,
  typeName,
  Undefined,
} from '../values.js';
import { follow } from './access.js';
import { capitalize, lines, replace } from './methods.js';
import { orderOf, percent } from './operators.js';
import { indentOf, toJson } from './print.js';

/** @import { Budget, Value } from '../values.js' */
/** @import { Filter } from '../filters.js' */

const INTEGER = /^[+-]?\d+(_\d+)*$/;
const DECIMAL = /^[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?$/i;
const SPECIAL = /^([+-]?)(inf|infinity|nan)$/i;

/** @param {string} text @returns {number | undefined} as `float(text)` */
function parseFloatText(text) {
  text = strip(text, null, 3);
  if (DECIMAL.test(text)) return Number(text.replaceAll('_', ''));
  const special = SPECIAL.exec(text);
  if (!special) return undefined;
  return special[2].toLowerCase() === 'nan' ? NaN : special[1] === '-' ? -Infinity : Infinity;
}

/** @param {Value} value @returns {number | undefined} as `float(value)` */
function toFloat(value) {
  if (value instanceof Undefined) fail(value.message);
  value = plain(value);
  return typeof value === 'string' ? parseFloatText(value) : asNumber(value);
}

/** @param {Value} value @param {Value} other */
function toInteger(value, other = 0) {
  const text = plain(value);
  if (typeof text === 'string') {
    const digits = strip(text, null, 3);
    if (INTEGER.test(digits)) return int(Number(digits.replaceAll('_', '')));
  }
  const number = toFloat(value);
  if (value instanceof Float && number !== undefined && !Number.isFinite(number)) {
    if (!Number.isNaN(number)) fail('cannot convert float infinity to integer');
    return other;
  }
  return number === undefined || !Number.isFinite(number) ? other : int(Math.trunc(number));
}

/** @param {Value} value @returns {Value} a key for order and sameness, without case */
const folded = (value) => typeof plain(value) === 'string' ? plain(value).toLowerCase() : value;

/** @param {Budget} budget @param {Value} attribute @param {Value} sensitive */
function keyed(budget, attribute, sensitive) {
  return (/** @type {Value} */ item) => {
    const value = attribute === undefined || attribute === null
      ? item
      : follow(budget, item, attribute);
    return flag(sensitive) ? value : folded(value);
  };
}

/** @param {Budget} budget @param {Value[]} items @param {(item: Value) => Value} key @param {Value} reverse */
function sort(budget, items, key, reverse) {
  const sign = flag(reverse) ? -1 : 1;
  return Array.from(items, (item) => ({ item, key: key(item) }))
    .sort((a, b) => sign * orderOf(budget, plain(a.key), plain(b.key), '<'))
    .map(({ item }) => item);
}

/** @param {number} sign 1: the least, -1: the greatest @returns {Filter} */
const extreme = (sign) => (value, [sensitive, attribute], budget) => {
  const items = iterate(budget, value);
  if (!items.length) return new Undefined('No aggregated item, sequence was empty.');
  const key = keyed(budget, attribute, sensitive);
  return items.reduce((/** @type {Value} */ best, /** @type {Value} */ item) =>
    sign * orderOf(budget, plain(key(item)), plain(key(best)), '<') < 0 ? item : best
  );
};

/** @param {Budget} budget @param {Value} value nothing, where Jinja2 does not even look
 * @returns {Value[]} */
const some = (budget, value) => truth(value) ? Array.from(iterate(budget, value)) : [];

/** @param {boolean} keep @param {boolean} byAttribute @returns {Filter} */
const choose = (keep, byAttribute) => (value, args, budget) => {
  if (byAttribute && !args.length) fail('Missing parameter for attribute name');
  const [attribute, name, ...rest] = byAttribute ? args : [null, ...args];
  return new Lazy(() =>
    some(budget, value).filter((item) => {
      const subject = byAttribute ? follow(budget, item, attribute) : item;
      return keep === (name === undefined ? truth(subject) : test(budget, name, subject, rest));
    })
  );
};

/** @type {Record<string, Filter>} */
export const FILTERS = {
  abs: (value) => {
    const n = asNumber(value);
    if (n === undefined) return fail(`bad operand type for abs(): '${typeName(value)}'`);
    return isInt(value) ? Math.abs(n) : new Float(Math.abs(n));
  },
  batch: (value, [count, fill = null], budget) =>
    new Lazy(() => {
      const size = toInt(count);
      const all = Array.from(iterate(budget, value));
      /** @type {Value[][]} */
      const rows = [];
      if (size < 1) fail('batch needs a size of 1 or more');
      for (let i = 0; i < all.length; i += size) rows.push(all.slice(i, i + size));
      const last = rows.at(-1);
      budget.room(32 * size);
      if (last && fill !== null) { while (last.length < size) last.push(fill); }
      return rows;
    }),
  capitalize: texts(capitalize),
  dictsort: (value, [sensitive, by = 'key', reverse], budget) => {
    if (!(value instanceof Map)) fail(`'${typeName(value)}' object has no attribute 'items'`);
    const place = { key: 0, value: 1 }[String(plain(by))];
    if (place === undefined) return fail('You can only sort by either "key" or "value"');
    const pairs = Array.from(value, (pair) => Tuple.from(pair));
    budget.spend(pairs.length);
    const key = (/** @type {Value} */ pair) => flag(sensitive) ? pair[place] : folded(pair[place]);
    return sort(budget, pairs, key, reverse);
  },
  float: (value, [other = new Float(0)]) => {
    const number = toFloat(value);
    return number === undefined ? other : new Float(number);
  },
  format: (value, args, budget) => percent(budget, toText(budget, value), Tuple.from(args)),
  from_json: (value, _, budget) => {
    try {
      return fromJson(budget, JSON.parse(str(value)));
    } catch (error) {
      if (error instanceof SyntaxError) return fail('from_json: the text is not JSON');
      throw error;
    }
  },
  indent: (value, [width = 4, first, blank], budget) => {
    const margin = typeof plain(width) === 'string' ? plain(width) : ' '.repeat(
      Math.min(Math.max(toInt(width), 0), budget.size),
    );
    if (value instanceof Undefined) fail(value.message);
    const all = lines(`${str(value)}\n`);
    budget.room(value.length + all.length * margin.length);
    const [head, ...rest] = all;
    const more = rest.map((line) => line || flag(blank) ? margin + line : line);
    return budget.text((flag(first) ? margin : '') + [head, ...more].join('\n'));
  },
  int: (value, [other = 0]) => isInt(value) ? Number(value) : toInteger(value, other),
  map: (value, [name, ...args], budget) =>
    new Lazy(() => some(budget, value).map((item) => filter(budget, name, item, args))),
  map_attribute: (value, [attribute, other = null], budget) =>
    new Lazy(() =>
      some(budget, value).map((item) => {
        const found = follow(budget, item, attribute);
        return found instanceof Undefined && other !== null ? other : found;
      })
    ),
  max: extreme(-1),
  min: extreme(1),
  reject: choose(false, false),
  rejectattr: choose(false, true),
  replace: (value, [from, to, count], budget) => {
    const [text, a, b] = [value, from, to].map((part) => budget.text(toText(budget, part)));
    budget.room(text.length + (a ? text.split(a).length : text.length + 1) * b.length);
    return replace(text, a, b, count === undefined || count === null ? -1 : toInt(count));
  },
  reverse: (value, _, budget) => {
    const text = plain(value);
    if (typeof text === 'string') return chars(budget.text(text)).reverse().join('');
    const items = Array.from(iterate(budget, value)).reverse();
    return value instanceof Lazy ? items : new Lazy(() => items);
  },
  safe: (value, _, budget) => new Markup(toText(budget, value)),
  select: choose(true, false),
  selectattr: choose(true, true),
  sort: (value, [reverse, sensitive, attribute], budget) =>
    sort(budget, iterate(budget, value), sortKey(budget, attribute, sensitive), reverse),
  sum: (value, [attribute, start = 0], budget) => {
    if (typeof start === 'string') fail("sum() can't sum strings");
    return Array.from(iterate(budget, value)).reduce((sum, item) =>
      binary(
        budget,
        '+',
        sum,
        attribute === undefined || attribute === null ? item : follow(budget, item, attribute),
      ), start);
  },
  title: texts((text) =>
    text.split(/([-\s({[<]+)/).map((part) => {
      const [first = '', ...rest] = chars(part);
      return first.toUpperCase() + rest.join('').toLowerCase();
    }).join('')
  ),
  tojson: (value, [ascii, indent, separators, sorted], budget) => {
    const margin = indentOf(indent);
    const given = separators === undefined || separators === null
      ? [margin === null ? ', ' : ',', ': ']
      : Array.from(iterate(budget, separators), str);
    const [comma, colon] = given.length === 2 ? given : fail('tojson takes two separators');
    return toJson(budget, value, {
      ascii: flag(ascii),
      indent: margin,
      comma,
      colon,
      sorted: flag(sorted),
    });
  },
  unique: (value, [sensitive, attribute], budget) =>
    new Lazy(() => {
      const seen = new Set();
      const key = keyed(budget, attribute, sensitive);
      return Array.from(iterate(budget, value)).filter((item) => {
        const found = keyOf(key(item));
        if (found === undefined) fail(`unique: unhashable type: '${typeName(item)}'`);
        return !seen.has(found) && seen.add(found);
      });
    }),
};

/** @param {Budget} budget @param {Value} attribute names, with commas between @param {Value} sensitive */
function sortKey(budget, attribute, sensitive) {
  const parts = typeof attribute === 'string' ? attribute.split(',') : [attribute];
  const keys = parts.map((part) => keyed(budget, part, sensitive));
  return (/** @type {Value} */ item) => keys.map((key) => key(item));
}
