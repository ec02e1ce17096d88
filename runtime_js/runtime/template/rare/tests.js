/** Jinja2's tests that few templates use. */

import { binary, equal } from '../operators.js';
import { toText } from '../print.js';
import { plain } from '../values.js';
import { isLower, isUpper } from './methods.js';

/** @import { Budget, Value } from '../values.js' */
/** @import { Filter } from '../filters.js' */

/** @param {Budget} budget @param {Value} value @param {Value} by */
const rest = (budget, value, by) => plain(binary(budget, '%', value, by));

/** @type {Record<string, Filter>} */
export const TESTS = {
  divisibleby: (value, [by], budget) => equal(budget, rest(budget, value, by), 0),
  even: (value, _, budget) => equal(budget, rest(budget, value, 2), 0),
  lower: (value, _, budget) => isLower(toText(budget, value)),
  odd: (value, _, budget) => equal(budget, rest(budget, value, 2), 1),
  upper: (value, _, budget) => isUpper(toText(budget, value)),
};
