/** Values as text: `str` of Python; other forms are in rare/print.js. */

import { plain, truth, Undefined } from './values.js';

/** @import { Budget, Value } from './values.js' */

/** @param {Budget} budget @param {Value} value @returns {string} as `str(value)` */
export function toText(budget, value) {
  value = plain(value);
  if (typeof value === 'string') return value;
  if (value instanceof Undefined) return '';
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'number' ? String(value) : budget.text(budget.rare.repr(budget, value));
}

/** @param {Value} value */
export const flag = (value) => value !== undefined && truth(value);
