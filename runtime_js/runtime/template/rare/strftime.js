/** `strftime_now`: a date by a C format, in C's own locale. */

import { fail } from '../values.js';

const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
const MONTHS =
  'January February March April May June July August September October November December'.split(
    ' ',
  );
/** @type {Record<string, string>} */
const SHORT = {
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  R: '%H:%M',
  T: '%H:%M:%S',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
  c: '%a %b %e %H:%M:%S %Y',
};
/** @type {Record<string, [number, (t: Date) => number]>} */
const NUMBERS = {
  d: [2, (t) => t.getDate()],
  m: [2, (t) => t.getMonth() + 1],
  y: [2, (t) => t.getFullYear() % 100],
  H: [2, (t) => t.getHours()],
  I: [2, (t) => t.getHours() % 12 || 12],
  M: [2, (t) => t.getMinutes()],
  S: [2, (t) => t.getSeconds()],
  j: [3, dayOfYear],
  Y: [1, (t) => t.getFullYear()],
  u: [1, (t) => t.getDay() || 7],
  w: [1, (t) => t.getDay()],
  f: [6, (t) => t.getMilliseconds() * 1000],
};
/** @type {Record<string, (t: Date) => string>} */
const NAMES = {
  a: (t) => DAYS[t.getDay()].slice(0, 3),
  A: (t) => DAYS[t.getDay()],
  b: (t) => MONTHS[t.getMonth()].slice(0, 3),
  h: (t) => MONTHS[t.getMonth()].slice(0, 3),
  B: (t) => MONTHS[t.getMonth()],
  e: (t) => String(t.getDate()).padStart(2),
  p: (t) => t.getHours() < 12 ? 'AM' : 'PM',
  n: () => '\n',
  t: () => '\t',
  Z: () => '',
  z: () => '',
  '%': () => '%',
};

/** @param {Date} t */
function dayOfYear(t) {
  const from = Date.UTC(t.getFullYear(), 0, 0);
  return (Date.UTC(t.getFullYear(), t.getMonth(), t.getDate()) - from) / 86_400_000;
}

/** @param {Date} time @param {string} format @returns {string} */
export function strftime(time, format) {
  return format.replace(/%(-?)(.|$)/gsu, (found, dash, letter) => {
    if (Object.hasOwn(NUMBERS, letter)) {
      const [width, number] = NUMBERS[letter];
      return String(number(time)).padStart(dash ? 1 : width, '0');
    }
    if (!dash && Object.hasOwn(SHORT, letter)) return strftime(time, SHORT[letter]);
    if (!dash && Object.hasOwn(NAMES, letter)) return NAMES[letter](time);
    return fail(`'${found}' is not supported in a format of strftime_now`);
  });
}
