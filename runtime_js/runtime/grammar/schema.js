/**
 * A JSON schema → the grammar of the JSON texts that it allows.
 *
 * What the grammar writes is always valid, but it may write less than the schema allows: objects list
 * properties in the schema's order, and others only where `additionalProperties` asks for them (or
 * nothing is said about properties at all). Keywords that cannot be held are refused by their path;
 * annotations are ignored.
 *
 * @import { Schema } from './keywords.js'
 * @import { Grammar, Node, Ref } from './nodes.js'
 */

import { disjoint } from './disjoint.js';
import { countsOf, invalid, isObject, listOf, soleKeyword, typesOf } from './keywords.js';
import { nodeCosts, Nodes } from './nodes.js';
import { objectNode } from './objects.js';
import { Scalars } from './scalars.js';
import { Values } from './values.js';

const MOST_CHARACTERS = 262_144; // of the schema as JSON
const MOST_DEPTH = 100;
const MOST_BYTES = 100_000; // of the shortest text

/**
 * @param {unknown} schema as `JSON.parse` gives it
 * @returns {Grammar}
 * @throws {import('../errors.js').MdstError} 'invalid_request': a keyword (named by its path) cannot
 *   be held, the schema is malformed or too large, or nothing fits it
 */
export function compileSchema(schema) {
  let size = Infinity;
  try {
    size = JSON.stringify(schema)?.length ?? Infinity;
  } catch { // a cycle, or too deep: too large either way
  }
  if (size > MOST_CHARACTERS) {
    throw invalid('#', `must be JSON of at most ${MOST_CHARACTERS} characters`);
  }
  const nodes = new Nodes();
  return finished(nodes, new SchemaCompiler(nodes, schema).compile());
}

/** The grammar of any JSON object. @returns {Grammar} */
export function anyObject() {
  const nodes = new Nodes();
  return finished(nodes, new Values(nodes).record);
}

/** @param {Nodes} nodes @param {Node} value @returns {Grammar} */
function finished(nodes, value) {
  const root = nodes.seq(nodes.optional(' '), value); // some vocabularies begin texts with a space
  const bytes = (/** @type {Uint8Array} */ text) =>
    Float64Array.from({ length: text.length + 1 }, (_, i) => text.length - i);
  const [least] = [nodeCosts(nodes.all, bytes, () => true)[root.id]].flatMap((cost) =>
    typeof cost === 'number' ? cost : cost[0]
  );
  if (least === Infinity) throw invalid('#', 'no text fits the schema');
  if (least > MOST_BYTES) throw invalid('#', `no text of less than ${MOST_BYTES} bytes fits`);
  return { root, nodes: nodes.all };
}

class SchemaCompiler {
  #nodes;
  #values;
  #scalars;
  #document;
  /** @type {Map<string, Ref>} by pointer */
  #refs = new Map();

  /** @param {Nodes} nodes @param {unknown} document */
  constructor(nodes, document) {
    this.#nodes = nodes;
    this.#values = new Values(nodes);
    this.#scalars = new Scalars(nodes, this.#values);
    this.#document = document;
  }

  compile() {
    const root = this.#reference('#', '#');
    for (const [pointer, ref] of this.#refs) { // grows on the way
      ref.target = this.#node(this.#resolve(pointer, pointer), pointer, 0);
    }
    return root;
  }

  /**
   * @param {unknown} schema
   * @param {string} path of it, for errors
   * @param {number} depth
   * @returns {Node}
   */
  #node(schema, path, depth) {
    if (schema === true) return this.#values.any;
    if (schema === false) return this.#nodes.alt();
    if (!isObject(schema)) throw invalid(path, 'must be an object, true or false');
    if (depth > MOST_DEPTH) throw invalid(path, `nests deeper than ${MOST_DEPTH}`);
    const sole = soleKeyword(schema, path);
    switch (sole) {
      case null:
        return this.#values.any;
      case undefined:
        return this.#nodes.alt(
          ...typesOf(schema, path).map((type) => this.#ofType(type, schema, path, depth)),
        );
      case 'const':
        return this.#scalars.constants([schema.const], schema, path);
      case 'enum':
        return this.#scalars.constants(schema.enum, schema, path);
      case '$ref':
        if (Object.hasOwn(schema, 'type')) throw invalid(`${path}/type`, 'stands beside $ref');
        return this.#reference(schema.$ref, `${path}/$ref`);
      default:
        return this.#alternatives(sole, schema, path, depth);
    }
  }

  /**
   * @param {string} keyword anyOf, oneOf or allOf
   * @param {Schema} schema
   * @param {string} path
   * @param {number} depth
   */
  #alternatives(keyword, schema, path, depth) {
    const where = `${path}/${keyword}`;
    const parts = listOf(schema[keyword], where);
    const types = Object.hasOwn(schema, 'type') ? typesOf(schema, path) : null;
    if (types !== null && !parts.every((part) => types.includes(part?.type))) {
      throw invalid(`${path}/type`, `not supported beside ${keyword} of other types`);
    }
    if (keyword === 'allOf' && parts.length > 1) throw invalid(where, 'may have one schema only');
    const resolve = (/** @type {string} */ pointer) => this.#resolve(pointer, where);
    const apart = () =>
      parts.every((a, i) => parts.slice(0, i).every((b) => disjoint(a, b, resolve)));
    if (keyword === 'oneOf' && !apart()) {
      throw invalid(where, 'alternatives that may overlap are not supported; use anyOf');
    }
    return this.#nodes.alt(...parts.map((part, i) => this.#node(part, `${where}/${i}`, depth + 1)));
  }

  /**
   * @param {string} type
   * @param {Schema} schema
   * @param {string} path
   * @param {number} depth
   * @returns {Node}
   */
  #ofType(type, schema, path, depth) {
    switch (type) {
      case 'object':
        return this.#object(schema, path, depth);
      case 'array':
        return this.#array(schema, path, depth);
      case 'string':
        return this.#scalars.string(schema, path);
      case 'integer':
        return this.#scalars.integer(schema, path);
      case 'number':
        return this.#scalars.number(schema, path);
      default:
        return type === 'null' ? this.#values.null : this.#values.boolean;
    }
  }

  /** @param {Schema} schema @param {string} path @param {number} depth */
  #object(schema, path, depth) {
    const { properties = {}, required = [], additionalProperties } = schema;
    if (!isObject(properties)) throw invalid(`${path}/properties`, 'must be an object');
    if (!Array.isArray(required) || !required.every((name) => typeof name === 'string')) {
      throw invalid(`${path}/required`, 'must be a list of names');
    }
    const needed = new Set(required);
    const members = Object.entries(properties).map(([name, value]) => ({
      name,
      required: needed.delete(name),
      value: this.#node(value, `${path}/properties/${escaped(name)}`, depth + 1),
    }));
    const others = additionalProperties ?? true;
    const other = this.#node(others, `${path}/additionalProperties`, depth + 1);
    for (const name of needed) members.push({ name, required: true, value: other });
    const more = additionalProperties === undefined ? members.length === 0 : others !== false;
    return objectNode(this.#nodes, this.#values, { members, other: more ? other : null });
  }

  /** @param {Schema} schema @param {string} path @param {number} depth */
  #array(schema, path, depth) {
    const { items = true, prefixItems = [] } = schema;
    const [min, max] = countsOf(schema, path, 'minItems', 'maxItems');
    if (!Array.isArray(prefixItems)) throw invalid(`${path}/prefixItems`, 'must be a list');
    const first = prefixItems.map((item, i) =>
      this.#node(item, `${path}/prefixItems/${i}`, depth + 1)
    );
    const more = items === false ? null : this.#node(items, `${path}/items`, depth + 1);
    return this.#values.brackets('[]', this.#values.joined(first, more, min, max));
  }

  /** @param {unknown} pointer @param {string} path where it stands */
  #reference(pointer, path) {
    if (typeof pointer !== 'string') throw invalid(path, 'must be a text');
    let ref = this.#refs.get(pointer);
    if (ref === undefined) {
      this.#resolve(pointer, path);
      this.#refs.set(pointer, ref = this.#nodes.ref());
    }
    return ref;
  }

  /** @param {string} pointer @param {string} path where it stands @returns {unknown} */
  #resolve(pointer, path) {
    const [start, ...steps] = pointer.split('/');
    /** @type {any} */
    let found = start === '#' ? this.#document : undefined;
    for (const step of steps) {
      const name = unescaped(step);
      const there = typeof found === 'object' && found !== null && Object.hasOwn(found, name);
      found = there ? found[name] : undefined;
    }
    if (found === undefined) throw invalid(path, `${JSON.stringify(pointer)} leads nowhere`);
    return found;
  }
}

/** @param {string} name in a JSON pointer */
function escaped(name) {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** @param {string} step of a JSON pointer in a URL fragment */
function unescaped(step) {
  let name = step;
  try {
    name = decodeURIComponent(step);
  } catch { // as it stands, then
  }
  return name.replaceAll('~1', '/').replaceAll('~0', '~');
}
