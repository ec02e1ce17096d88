/** Arguments that make no sense are refused by the name of the field that they are in. */

import { MdstError } from './errors.js';

/**
 * @param {string} message
 * @param {string | null} [param] the field at fault, such as `messages[2].content`
 */
export function invalid(message, param = null) {
  return new MdstError('invalid_request', message, { param });
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {{ usual: number, least: number, most: number, whole: boolean }} range
 */
export function readNumber(name, value, { usual, least, most, whole }) {
  if (value === undefined || value === null) return usual;
  const fits = typeof value === 'number' && value >= least && value <= most;
  if (fits && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? 'an integer' : 'a number';
  throw invalid(`${name} is ${show(value)}, but must be ${kind} from ${least} to ${most}`, name);
}

/**
 * @template T
 * @param {string} name
 * @param {T | null | undefined} value
 * @param {readonly T[]} allowed the first is the default
 */
export function readOption(name, value, allowed) {
  if (value === undefined || value === null) return allowed[0];
  if (allowed.includes(value)) return value;
  const names = [...new Set(allowed)].map(show).join(' or ');
  throw invalid(`${name} is ${show(value)}, but must be ${names}`, name);
}

/** @param {string} name @param {unknown} value @returns {Record<string, any>} {} for null */
export function readObject(name, value) {
  if (value === undefined || value === null) return {};
  if (Object.prototype.toString.call(value) === '[object Object]') return value; // no list, no Map
  throw invalid(`${name} is ${show(value)}, but must be an object`, name);
}

/**
 * @param {Record<string, unknown>} given
 * @param {ReadonlySet<string>} known
 * @param {string} [inside] the name of the object
 */
export function checkNames(given, known, inside = '') {
  for (const name of Object.keys(given)) {
    if (!known.has(name)) throw invalid(`${inside}${name} is not known here`, inside + name);
  }
}

/** @param {readonly number[]} ids @param {number} vocabulary @param {string} param */
export function checkIds(ids, vocabulary, param) {
  if (!Array.isArray(ids)) throw invalid(`${param} must be a list of token ids`, param);
  for (const id of ids) checkId(id, vocabulary, param);
}

/** @param {number} id @param {number} vocabulary @param {string} param */
export function checkId(id, vocabulary, param) {
  if (Number.isInteger(id) && id >= 0 && id < vocabulary) return;
  const message = `${param}: token id ${show(id)} is not one of 0 to ${vocabulary - 1}`;
  throw invalid(message, param);
}

/** @param {unknown} value */
export function show(value) {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 99));
  return typeof value === 'object' && value !== null ? typeof value : String(value);
}
