/** The types of JSON values, as schemas name them. */

export const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];

/** @param {unknown} value @returns {value is { [key: string]: any }} */
export function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** All types that a value has. @param {unknown} value */
export function typesOf(value) {
  if (value === null) return ['null'];
  if (Array.isArray(value)) return ['array'];
  return Number.isInteger(value) ? ['integer', 'number'] : [typeof value];
}
