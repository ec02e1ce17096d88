/**
 * A JSON schema → the grammar of the JSON texts that it allows.
 *
 * What the grammar writes is always valid, but it may write less than the schema allows: objects list
 * properties in the schema's order, and others only where `additionalProperties` asks for them (or
 * nothing is said about properties at all). Keywords that cannot be held are refused by their path;
 * annotations are ignored. https://json-schema.org/draft/2020-12/json-schema-validation
 *
 * @import { Grammar, Node, Ref } from './nodes.js'
 */

import { MdstError } from '../errors.js';
import { disjoint } from './disjoint.js';
import { integerRange } from './integers.js';
import { nodeCosts, Nodes } from './nodes.js';
import { objectNode } from './objects.js';
import { PatternError, patternNode } from './pattern.js';
import { countStates } from './readable.js';
import { isObject, TYPES, typesOf } from './types.js';
import { Values } from './values.js';

/** @typedef {boolean | { [keyword: string]: any }} Schema */

const MOST_CHARACTERS = 262_144; // of the schema as JSON
const MOST_DEPTH = 100;
const MOST_VALUES = 10_000; // of an enum
const MOST_STATES = 16_384; // of all patterns
const MOST_BYTES = 100_000; // of the shortest text

const ANNOTATIONS = new Set(
  ('$schema $id $comment title description default examples deprecated readOnly writeOnly ' +
    '$defs definitions').split(' '),
);
/** Keywords that say something of one type only. */
const OF_TYPES = Object.entries({
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
  string: ['pattern', 'minLength', 'maxLength'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
});
/** Keywords beside which no other may stand, but `type`. */
const ALONE = ['$ref', 'const', 'enum', 'anyOf', 'oneOf', 'allOf'];
const KNOWN = new Set(['type', ...ALONE, ...OF_TYPES.flatMap(([, keywords]) => keywords)]);

/**
 * @param {unknown} schema as `JSON.parse` gives it
 * @returns {Grammar}
 * @throws {MdstError} 'invalid_request': a keyword (named by its path) cannot be held, the schema is
 *   malformed or too large, or nothing fits it
 */
export function compileSchema(schema) {
  const compiler = new SchemaCompiler(schema);
  return finished(compiler.nodes, compiler.compile());
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
  const cost = nodeCosts(nodes.all, bytes, () => true)[root.id];
  const least = typeof cost === 'number' ? cost : cost[0];
  if (least === Infinity) throw invalid('#', 'no text fits the schema');
  if (least > MOST_BYTES) throw invalid('#', `no text of less than ${MOST_BYTES} bytes fits`);
  return { root, nodes: nodes.all };
}

/** @param {string} path @param {string} what @returns {MdstError} */
function invalid(path, what) {
  return new MdstError('invalid_request', `JSON schema, ${path}: ${what}`, {
    param: 'response_format',
  });
}

export class SchemaCompiler {
  nodes = new Nodes();
  #values = new Values(this.nodes);
  /** @type {Map<string, Ref>} by pointer */
  #refs = new Map();
  #document;
  /** @type {Set<string>} those that are known to be simple enough */
  #patterns = new Set();
  #states = MOST_STATES;

  /** @param {unknown} document */
  constructor(document) {
    let size = Infinity;
    try {
      size = JSON.stringify(document)?.length ?? Infinity;
    } catch { // a cycle, or too deep: too large either way
    }
    if (size > MOST_CHARACTERS) {
      throw invalid('#', `the schema has more than ${MOST_CHARACTERS} characters, or is not JSON`);
    }
    this.#document = document;
  }

  compile() {
    const root = this.#reference('#', '#');
    for (const [pointer, ref] of this.#refs) { // grows on the way
      ref.target = this.node(this.#resolve(pointer, pointer), pointer, 0);
    }
    return root;
  }

  /**
   * @param {unknown} schema
   * @param {string} path of it, for errors
   * @param {number} depth
   * @returns {Node}
   */
  node(schema, path, depth) {
    if (schema === true) return this.#values.any;
    if (schema === false) return this.nodes.alt();
    if (!isObject(schema)) throw invalid(path, 'a schema must be an object, true or false');
    if (depth > MOST_DEPTH) throw invalid(path, `schemas nest deeper than ${MOST_DEPTH}`);
    const keywords = Object.keys(schema).filter((keyword) => !ANNOTATIONS.has(keyword));
    for (const keyword of keywords) {
      if (!KNOWN.has(keyword)) throw invalid(`${path}/${keyword}`, 'keyword not supported');
    }
    const alone = ALONE.find((keyword) => Object.hasOwn(schema, keyword));
    if (alone === undefined) return this.#ofTypes(schema, keywords, path, depth);
    const beside = keywords.find((keyword) => keyword !== alone && keyword !== 'type');
    if (beside !== undefined) {
      throw invalid(`${path}/${beside}`, `not supported beside ${alone}`);
    }
    return this.#alone(alone, schema, path, depth);
  }

  /**
   * @param {string} keyword
   * @param {{ [keyword: string]: any }} schema
   * @param {string} path
   * @param {number} depth
   */
  #alone(keyword, schema, path, depth) {
    const value = schema[keyword];
    const where = `${path}/${keyword}`;
    if (keyword === 'const') return this.#constants([value], schema, path);
    if (keyword === 'enum') return this.#constants(value, schema, path);
    if (Object.hasOwn(schema, 'type')) {
      if (keyword === '$ref') throw invalid(`${path}/type`, 'not supported beside $ref');
      const types = this.#types(schema, [], path);
      for (const part of this.#list(value, where)) {
        const found = isObject(part) ? part.type : undefined;
        if (typeof found !== 'string' || !types.includes(found)) {
          throw invalid(`${path}/type`, `not supported beside ${keyword} of other types`);
        }
      }
    }
    if (keyword === '$ref') return this.#reference(value, where);
    const parts = this.#list(value, where);
    if (keyword === 'allOf' && parts.length !== 1) throw invalid(where, 'must have one schema');
    const resolve = (/** @type {string} */ pointer) => this.#resolve(pointer, where);
    if (
      keyword === 'oneOf' &&
      !parts.every((a, i) => parts.every((b, j) => i <= j || disjoint(a, b, resolve)))
    ) {
      throw invalid(where, 'alternatives that may overlap are not supported; use anyOf');
    }
    return this.nodes.alt(...parts.map((part, i) => this.node(part, `${where}/${i}`, depth + 1)));
  }

  /**
   * @param {{ [keyword: string]: any }} schema
   * @param {string[]} keywords
   * @param {string} path
   * @param {number} depth
   */
  #ofTypes(schema, keywords, path, depth) {
    return this.nodes.alt(
      ...this.#types(schema, keywords, path).map((type) => this.#ofType(type, schema, path, depth)),
    );
  }

  /**
   * The types that a schema allows; without `type` those that its keywords speak of, or all.
   *
   * @param {{ [keyword: string]: any }} schema
   * @param {string[]} keywords
   * @param {string} path
   * @returns {string[]}
   */
  #types(schema, keywords, path) {
    if (!Object.hasOwn(schema, 'type')) {
      const meant = OF_TYPES.filter(([, own]) => own.some((keyword) => keywords.includes(keyword)));
      return meant.length > 0 ? meant.map(([type]) => type) : TYPES;
    }
    const types = Array.isArray(schema.type) ? schema.type : [schema.type];
    if (types.length === 0 || !types.every((type) => TYPES.includes(type))) {
      throw invalid(`${path}/type`, `must be of ${TYPES.join(', ')}`);
    }
    return types;
  }

  /**
   * @param {string} type
   * @param {{ [keyword: string]: any }} schema
   * @param {string} path
   * @param {number} depth
   * @returns {Node}
   */
  #ofType(type, schema, path, depth) {
    switch (type) {
      case 'object':
        return objectNode(this.nodes, this.#values, this.#members(schema, path, depth));
      case 'array':
        return this.#array(schema, path, depth);
      case 'string':
        return this.#string(schema, path);
      case 'integer':
        return this.#integer(schema, path);
      case 'number':
        for (const keyword of OF_TYPES[3][1]) {
          if (Object.hasOwn(schema, keyword)) {
            throw invalid(`${path}/${keyword}`, 'supported for type integer only');
          }
        }
        return this.#values.number;
      default:
        return type === 'null' ? this.#values.null : this.#values.boolean;
    }
  }

  /**
   * @param {{ [keyword: string]: any }} schema
   * @param {string} path
   * @param {number} depth
   */
  #members(schema, path, depth) {
    const { properties = {}, required = [], additionalProperties: others } = schema;
    if (!isObject(properties)) throw invalid(`${path}/properties`, 'must be an object');
    if (!Array.isArray(required) || !required.every((name) => typeof name === 'string')) {
      throw invalid(`${path}/required`, 'must be a list of names');
    }
    const needed = new Set(required);
    const members = Object.entries(properties).map(([name, value]) => ({
      name,
      required: needed.delete(name),
      value: this.node(value, `${path}/properties/${escaped(name)}`, depth + 1),
    }));
    const silent = others === undefined && members.length + needed.size > 0;
    const other = this.node(others ?? true, `${path}/additionalProperties`, depth + 1);
    for (const name of needed) members.push({ name, required: true, value: other });
    return { members, other: silent || others === false ? null : other };
  }

  /**
   * @param {{ [keyword: string]: any }} schema
   * @param {string} path
   * @param {number} depth
   */
  #array(schema, path, depth) {
    const { items = true, prefixItems = [] } = schema;
    const [min, max] = this.#counts(schema, path, 'minItems', 'maxItems');
    if (!Array.isArray(prefixItems)) throw invalid(`${path}/prefixItems`, 'must be a list');
    const first = prefixItems.map((item, i) =>
      this.node(item, `${path}/prefixItems/${i}`, depth + 1)
    );
    const more = items === false ? null : this.node(items, `${path}/items`, depth + 1);
    return this.#values.brackets('[]', this.#values.joined(first, more, min, max));
  }

  /** @param {{ [keyword: string]: any }} schema @param {string} path */
  #string(schema, path) {
    const [min, max] = this.#counts(schema, path, 'minLength', 'maxLength');
    if (!Object.hasOwn(schema, 'pattern')) {
      return this.#values.stringOf(this.nodes.rep(this.#values.character, min, max));
    }
    const where = `${path}/pattern`;
    if (typeof schema.pattern !== 'string') throw invalid(where, 'must be a text');
    if (min > 0 || max < Infinity) {
      throw invalid(where, 'not supported beside minLength and maxLength; use a quantifier in it');
    }
    try {
      if (!this.#patterns.has(schema.pattern)) {
        const nodes = new Nodes();
        const node = patternNode(nodes, schema.pattern);
        this.#states -= countStates(node, nodes.all, this.#states);
        this.#patterns.add(schema.pattern);
      }
      return this.#values.stringOf(patternNode(this.nodes, schema.pattern));
    } catch (error) {
      throw error instanceof PatternError ? invalid(where, `the pattern ${error.message}`) : error;
    }
  }

  /** @param {{ [keyword: string]: any }} schema @param {string} path */
  #integer(schema, path) {
    const most = Number.MAX_SAFE_INTEGER;
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
    const bounds = { minimum, maximum, exclusiveMinimum, exclusiveMaximum };
    for (const [keyword, bound] of Object.entries(bounds)) {
      if (bound !== undefined && !(typeof bound === 'number' && Math.abs(bound) <= most)) {
        throw invalid(`${path}/${keyword}`, `must be a number of at most ${most}`);
      }
    }
    if (Object.values(bounds).every((bound) => bound === undefined)) return this.#values.integer;
    const min = Math.max(
      Math.ceil(minimum ?? -most),
      Math.floor(exclusiveMinimum ?? -most - 2) + 1,
    );
    const max = Math.min(Math.floor(maximum ?? most), Math.ceil(exclusiveMaximum ?? most + 2) - 1);
    return min <= max ? integerRange(this.nodes, min, max) : this.nodes.alt();
  }

  /**
   * @param {unknown} values
   * @param {{ [keyword: string]: any }} schema
   * @param {string} path
   */
  #constants(values, schema, path) {
    const list = this.#list(values, `${path}/enum`);
    if (list.length > MOST_VALUES) throw invalid(`${path}/enum`, `has more than ${MOST_VALUES}`);
    const types = Object.hasOwn(schema, 'type') ? this.#types(schema, [], path) : TYPES;
    const texts = list.filter((value) => typesOf(value).some((type) => types.includes(type)))
      .map((value) => JSON.stringify(value));
    return this.nodes.alt(...texts);
  }

  /**
   * @param {{ [keyword: string]: any }} schema
   * @param {string} path
   * @param {string} least
   * @param {string} most
   */
  #counts(schema, path, least, most) {
    const counts = [schema[least] ?? 0, schema[most] ?? Infinity];
    for (const [i, keyword] of [least, most].entries()) {
      const fine = counts[i] === Infinity ? schema[keyword] === undefined : isCount(counts[i]);
      if (!fine) throw invalid(`${path}/${keyword}`, 'must be a count');
    }
    return counts;
  }

  /** @param {unknown} value @param {string} path @returns {unknown[]} */
  #list(value, path) {
    if (!Array.isArray(value) || value.length === 0) throw invalid(path, 'must be a list of some');
    return value;
  }

  /** @param {unknown} pointer @param {string} path */
  #reference(pointer, path) {
    if (typeof pointer !== 'string') throw invalid(path, 'must be a text');
    let ref = this.#refs.get(pointer);
    if (ref === undefined) {
      this.#resolve(pointer, path);
      this.#refs.set(pointer, ref = this.nodes.ref());
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
      found = typeof found === 'object' && found !== null && Object.hasOwn(found, name)
        ? found[name]
        : undefined;
    }
    if (found === undefined) throw invalid(path, `${JSON.stringify(pointer)} leads nowhere`);
    return found;
  }
}

/** @param {unknown} value */
function isCount(value) {
  return Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0;
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
