/** Jinja2's tests; arguments as those of filters. */

import { isLower, isUpper } from './methods.js';
import { binary, compare, equal } from './operators.js';
import { toText } from './print.js';
import { asNumber, Callable, fail, Float, isIterable, Loop, plain, Undefined } from './values.js';

/** @import { Budget, Value } from './values.js' */
/** @import { Filter } from './filters.js' */

/** @param {Value} value @returns {boolean} */
const isNumber = (value) => asNumber(value) !== undefined;
/** @param {Budget} budget @param {Value} value @param {Value} by */
const rest = (budget, value, by) => plain(binary(budget, '%', value, by));
/** @param {string} op @returns {Filter} */
const compared = (op) => (value, [other], budget) => compare(budget, op, value, other);

const [eq, ne, lt, le, gt, ge] = ['==', '!=', '<', '<=', '>', '>='].map(compared);

/** @type {Record<string, Filter>} */
export const TESTS = {
  boolean: (value) => typeof value === 'boolean',
  callable: (value) =>
    value instanceof Callable || value instanceof Undefined || value instanceof Loop,
  defined: (value) => !(value instanceof Undefined),
  divisibleby: (value, [by], budget) => equal(budget, rest(budget, value, by), 0),
  even: (value, _, budget) => equal(budget, rest(budget, value, 2), 0),
  false: (value) => value === false,
  float: (value) => value instanceof Float,
  in: (value, [all], budget) => compare(budget, 'in', value, all),
  integer: (value) => typeof value === 'number',
  iterable: isIterable,
  lower: (value, _, budget) => isLower(toText(budget, value)),
  mapping: (value) => value instanceof Map,
  none: (value) => value === null,
  number: isNumber,
  odd: (value, _, budget) => equal(budget, rest(budget, value, 2), 1),
  sameas: (value, [other]) =>
    value instanceof Float && other instanceof Float ? value === other : value === other,
  sequence: (value) =>
    typeof plain(value) === 'string' || Array.isArray(value) || value instanceof Map ||
    value instanceof Undefined,
  string: (value) => typeof plain(value) === 'string',
  true: (value) => value === true,
  undefined: (value) => value instanceof Undefined,
  upper: (value, _, budget) => isUpper(toText(budget, value)),
  '==': eq,
  eq,
  equalto: eq,
  '!=': ne,
  ne,
  '<': lt,
  lt,
  lessthan: lt,
  '<=': le,
  le,
  '>': gt,
  gt,
  greaterthan: gt,
  '>=': ge,
  ge,
};

/** @param {Budget} budget @param {string} name @param {Value} value @param {Value[]} args @returns {boolean} */
export function test(budget, name, value, args) {
  budget.spend(1);
  if (!Object.hasOwn(TESTS, name)) fail(`no test named '${name}'`);
  return TESTS[name](value, args, budget);
}
