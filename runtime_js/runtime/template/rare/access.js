/** What few templates ask values for. */

import { element } from '../access.js';
import { Callable, fail, Tuple, typeName, Undefined } from '../values.js';
import { rareMethod } from './methods.js';
import { repr } from './print.js';

/** @import { Budget, Loop, Value } from '../values.js' */

/** @param {string} names */
const set = (names) => new Set(names.split(' '));

/** @type {Record<string, Set<string>>} */
const UNSAFE = {
  list: set('append clear extend insert pop remove reverse sort'),
  dict: set('clear pop popitem setdefault update'),
};
const NUMBER = 'as_integer_ratio conjugate imag real ';
const INT = set(`${NUMBER}bit_count bit_length denominator from_bytes numerator to_bytes`);
/** @type {Record<string, Set<string>>} */
const NEITHER = {
  str: set(
    'casefold center encode expandtabs format_map isascii isdecimal isidentifier isnumeric ' +
      'isprintable istitle ljust maketrans rjust swapcase translate zfill',
  ),
  dict: set('fromkeys'),
  bool: INT,
  int: INT,
  float: set(`${NUMBER}fromhex hex is_integer`),
};

/** @param {Budget} budget @param {Value} value @param {string} name @returns {Value} undefined: none */
export function known(budget, value, name) {
  const type = typeName(value);
  const found = rareMethod(budget, value, name);
  if (found) return found;
  if (UNSAFE[type]?.has(name)) {
    return new Undefined(`access to attribute '${name}' of '${type}' object is unsafe.`);
  }
  if (NEITHER[type]?.has(name)) fail(`'${name}' of a '${type}' object is not supported`);
}

/** @param {Budget} budget @param {Loop} loop @param {string} name @returns {Value} undefined: none */
export function loopAttribute(budget, loop, name) {
  const { index0 } = loop;
  switch (name) {
    case 'depth':
      return 1;
    case 'depth0':
      return 0;
    case 'cycle':
      return new Callable((args) =>
        args.length ? args[index0 % args.length] : fail('no items for cycling given')
      );
    case 'changed':
      return new Callable((args) => {
        const now = repr(budget, Tuple.from(args));
        const changed = now !== loop.seen;
        loop.seen = now;
        return changed;
      });
  }
}

/** @param {Budget} budget @param {Value} value @param {string} path of `attribute=` */
export function follow(budget, value, path) {
  for (const part of typeof path === 'string' ? path.split('.') : [path]) {
    value = element(budget, value, /^\d+$/.test(part) ? Number(part) : part);
  }
  return value;
}
