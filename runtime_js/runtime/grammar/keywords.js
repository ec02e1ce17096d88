/**
 * The keywords of JSON schemas that are held, and values of them checked.
 * https://json-schema.org/draft/2020-12/json-schema-validation
 */

import { MdstError } from '../errors.js';

/** @typedef {{ [keyword: string]: any }} Schema */

export const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];

/** Keywords that say something of one type only. */
const OF_TYPES = Object.entries({
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
  string: ['pattern', 'minLength', 'maxLength'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
});
/** Keywords beside which no other may stand, but `type`. */
const ALONE = ['$ref', 'const', 'enum', 'anyOf', 'oneOf', 'allOf'];
const KNOWN = ['type', ...ALONE, ...OF_TYPES.flatMap(([, keywords]) => keywords)];
const ANNOTATIONS = ['$schema', '$id', '$comment', 'title', 'description', 'default', 'examples']
  .concat(['deprecated', 'readOnly', 'writeOnly', '$defs', 'definitions']);

/** @param {string} path of a keyword or schema @param {string} what @returns {MdstError} */
export function invalid(path, what) {
  const message = `JSON schema, ${path}: ${what}`;
  return new MdstError('invalid_request', message, { param: 'response_format' });
}

/**
 * Refuses what cannot be held.
 *
 * @param {Schema} schema
 * @param {string} path
 * @returns {string | null | undefined} the one keyword that says it all, if there is one; null: there
 *   are no keywords
 */
export function soleKeyword(schema, path) {
  const keywords = Object.keys(schema).filter((keyword) => !ANNOTATIONS.includes(keyword));
  const sole = ALONE.find((keyword) => keywords.includes(keyword));
  for (const keyword of keywords) {
    if (!KNOWN.includes(keyword)) throw invalid(`${path}/${keyword}`, 'keyword not supported');
    if (sole !== undefined && keyword !== sole && keyword !== 'type') {
      throw invalid(`${path}/${keyword}`, `not supported beside ${sole}`);
    }
  }
  return keywords.length === 0 ? null : sole;
}

/**
 * The types that a schema allows; without `type` those that its keywords speak of, or all.
 *
 * @param {Schema} schema
 * @param {string} path
 * @returns {string[]}
 */
export function typesOf(schema, path) {
  if (!Object.hasOwn(schema, 'type')) {
    const meant = OF_TYPES.filter(([, own]) => own.some((name) => Object.hasOwn(schema, name)));
    return meant.length > 0 ? meant.map(([type]) => type) : TYPES;
  }
  const types = [schema.type].flat();
  if (types.length === 0 || !types.every((type) => TYPES.includes(type))) {
    throw invalid(`${path}/type`, `must be of ${TYPES.join(', ')}`);
  }
  return types;
}

/**
 * @param {Schema} schema
 * @param {string} path
 * @param {string} least
 * @param {string} most
 * @returns {[number, number]} Infinity: no limit
 */
export function countsOf(schema, path, least, most) {
  for (const keyword of [least, most]) {
    const count = schema[keyword] ?? 0;
    if (!Number.isSafeInteger(count) || count < 0 || count >= 2 ** 32) {
      throw invalid(`${path}/${keyword}`, 'must be a count');
    }
  }
  return [schema[least] ?? 0, schema[most] ?? Infinity];
}

/** @param {unknown} value @param {string} path @returns {any[]} with an item at least */
export function listOf(value, path) {
  if (!Array.isArray(value) || value.length === 0) throw invalid(path, 'must be a list of some');
  return value;
}

/** @param {unknown} value @returns {value is Schema} */
export function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** All types that a value has. @param {unknown} value */
export function typesOfValue(value) {
  if (value === null) return ['null'];
  if (Array.isArray(value)) return ['array'];
  return Number.isInteger(value) ? ['integer', 'number'] : [typeof value];
}
