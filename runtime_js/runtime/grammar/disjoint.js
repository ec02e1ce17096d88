/** Whether two schemas have no value in common, as far as their types, constants and properties tell. */

import { isObject, typesOfValue } from './keywords.js';

const MOST_DEPTH = 8;

/**
 * @param {unknown} a
 * @param {unknown} b
 * @param {(pointer: string) => unknown} resolve what a `$ref` points at
 * @param {number} [depth]
 * @returns {boolean} false also when it cannot be told
 */
export function disjoint(a, b, resolve, depth = 0) {
  const left = followed(a, resolve);
  const right = followed(b, resolve);
  if (left === false || right === false) return true;
  if (depth > MOST_DEPTH || !isObject(left) || !isObject(right)) return false;
  for (const keyword of ['anyOf', 'oneOf']) {
    for (const [one, other] of [[left, right], [right, left]]) {
      if (Array.isArray(one[keyword])) {
        return one[keyword].every((part) => disjoint(part, other, resolve, depth + 1));
      }
    }
  }
  const types = typesFor(right);
  if (!typesFor(left).some((type) => types.includes(type))) return true;
  const [values, others] = [constants(left), constants(right)];
  if (values !== null && others !== null) return !values.some((value) => others.includes(value));
  return required(left).filter((name) => required(right).includes(name)).some((name) =>
    disjoint(left.properties[name], right.properties[name], resolve, depth + 1)
  );
}

/** @param {unknown} schema @param {(pointer: string) => unknown} resolve */
function followed(schema, resolve) {
  let found = schema;
  for (let i = 0; i < MOST_DEPTH && isObject(found) && typeof found.$ref === 'string'; i++) {
    found = resolve(found.$ref);
  }
  return found;
}

/** @param {{ [keyword: string]: any }} schema @returns {string[]} */
function typesFor(schema) {
  const values = 'const' in schema ? [schema.const] : schema.enum;
  const types = Array.isArray(values)
    ? values.flatMap(typesOfValue)
    : [schema.type ?? ['object', 'array', 'string', 'number', 'boolean', 'null']].flat();
  return types.map((type) => type === 'integer' ? 'number' : type);
}

/** @param {{ [keyword: string]: any }} schema @returns {string[] | null} as JSON */
function constants(schema) {
  const values = 'const' in schema ? [schema.const] : schema.enum;
  return Array.isArray(values) ? values.map((value) => JSON.stringify(value)) : null;
}

/**
 * Names of properties that an object has for sure, and that the schema says something about.
 * @param {{ [keyword: string]: any }} schema
 * @returns {string[]}
 */
function required({ type, required, properties }) {
  if (type !== 'object' || !Array.isArray(required) || !isObject(properties)) return [];
  return required.filter((name) => Object.hasOwn(properties, name));
}
