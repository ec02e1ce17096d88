/** Jinja2's tests; arguments as those of filters. rare/tests.js has more. */

import { compare } from './operators.js';
import { asNumber, Callable, fail, Float, isIterable, Loop, plain, Undefined } from './values.js';

/** @import { Budget, Value } from './values.js' */
/** @import { Filter } from './filters.js' */

/** @param {Value} value @returns {boolean} */
const isNumber = (value) => asNumber(value) !== undefined;
/** @param {string} op @returns {Filter} */
const compared = (op) => (value, [other], budget) => compare(budget, op, value, other);

const [eq, ne, lt, le, gt, ge] = ['==', '!=', '<', '<=', '>', '>='].map(compared);

/** @type {Record<string, Filter>} */
const TESTS = {
  boolean: (value) => typeof value === 'boolean',
  callable: (value) =>
    value instanceof Callable || value instanceof Undefined || value instanceof Loop,
  defined: (value) => !(value instanceof Undefined),
  false: (value) => value === false,
  float: (value) => value instanceof Float,
  in: (value, [all], budget) => compare(budget, 'in', value, all),
  integer: (value) => typeof value === 'number',
  iterable: isIterable,
  mapping: (value) => value instanceof Map,
  none: (value) => value === null,
  number: isNumber,
  sameas: (value, [other]) =>
    value instanceof Float && other instanceof Float ? value === other : value === other,
  sequence: (value) =>
    typeof plain(value) === 'string' || Array.isArray(value) || value instanceof Map ||
    value instanceof Undefined,
  string: (value) => typeof plain(value) === 'string',
  true: (value) => value === true,
  undefined: (value) => value instanceof Undefined,
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
  const tests = Object.hasOwn(TESTS, name) ? TESTS : budget.rare.TESTS;
  if (!Object.hasOwn(tests, name)) fail(`no test named '${name}'`);
  return tests[name](value, args, budget);
}
