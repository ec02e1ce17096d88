/** Jinja2's filters that templates use; rare/filters.js has more. Arguments come in the order of
 * allowed.py's table in the compiler; `undefined` is one that was not given. */

import { remark } from './access.js';
import { strip } from './methods.js';
import { flag, toText } from './print.js';
import {
  fail,
  iterate,
  Lazy,
  lengthOf,
  Markup,
  truth,
  Tuple,
  typeName,
  Undefined,
} from './values.js';

/** @import { Budget, Value } from './values.js' */
/** @typedef {(value: Value, args: Value[], budget: Budget) => Value} Filter */

/** @type {Filter} */
const length = (value) =>
  lengthOf(value) ?? fail(`object of type '${typeName(value)}' has no len()`);
/** @type {Filter} */
const fallback = (value, [other = '', boolean]) =>
  value instanceof Undefined || flag(boolean) && !truth(value) ? other : value;
/** @param {(text: string) => string} change @returns {Filter} */
export const texts = (change) => (value, _, budget) =>
  remark(value, budget.text(change(budget.text(toText(budget, value)))));

/** @type {Record<string, Filter>} */
const FILTERS = {
  count: length,
  d: fallback,
  default: fallback,
  first: (value, _, budget) => {
    if (value instanceof Lazy && value.items().length) return value.items().shift();
    const [item] = iterate(budget, value);
    return item === undefined ? new Undefined('No first item, sequence was empty.') : item;
  },
  items: (value, _, budget) =>
    new Lazy(() => {
      if (value instanceof Undefined) return [];
      if (!(value instanceof Map)) fail('Can only get item pairs from a mapping.');
      budget.spend(value.size);
      return Array.from(value, (pair) => Tuple.from(pair));
    }),
  join: (value, [d = '', attribute], budget) => {
    const all = Array.from(
      iterate(budget, value),
      (item) =>
        toText(
          budget,
          attribute === undefined || attribute === null
            ? item
            : budget.rare.follow(budget, item, attribute),
        ),
    );
    const between = toText(budget, d);
    budget.room(all.reduce((sum, text) => sum + text.length + between.length, 0));
    return all.join(between);
  },
  last: (value, _, budget) => {
    if (value instanceof Lazy) fail("'generator' object is not reversible");
    const item = Array.from(iterate(budget, value)).at(-1);
    return item === undefined ? new Undefined('No last item, sequence was empty.') : item;
  },
  length,
  list: (value, _, budget) => Array.from(iterate(budget, value)),
  lower: texts((text) => text.toLowerCase()),
  string: (value, _, budget) => value instanceof Markup ? value : toText(budget, value),
  trim: (value, [set], budget) => remark(value, strip(budget.text(toText(budget, value)), set, 3)),
  upper: texts((text) => text.toUpperCase()),
};

/** @param {Budget} budget @param {string} name @param {Value} value @param {Value[]} args @returns {Value} */
export function filter(budget, name, value, args) {
  budget.spend(1);
  const filters = Object.hasOwn(FILTERS, name) ? FILTERS : budget.rare.FILTERS;
  if (!Object.hasOwn(filters, name)) fail(`no filter named '${name}'`);
  return filters[name](value, args, budget);
}
