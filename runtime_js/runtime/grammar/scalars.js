/**
 * Strings, integers and constants of JSON schemas → nodes.
 *
 * @import { Node } from './nodes.js'
 * @import { Values } from './values.js'
 */

import { integerRange } from './integers.js';
import { countsOf, invalid, listOf, TYPES, typesOf, typesOfValue } from './keywords.js';
import { Nodes } from './nodes.js';
import { PatternError, patternNode } from './pattern.js';
import { countStacks } from './readable.js';

/** @import { Schema } from './keywords.js' */

const MOST_VALUES = 10_000; // of an enum
const MOST_STACKS = 500_000; // of the states of all patterns
const BOUNDS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'];

export class Scalars {
  #nodes;
  #values;
  /** @type {Set<string>} patterns that are known to be simple enough */
  #patterns = new Set();
  #stacks = MOST_STACKS;

  /** @param {Nodes} nodes @param {Values} values */
  constructor(nodes, values) {
    this.#nodes = nodes;
    this.#values = values;
  }

  /** @param {Schema} schema @param {string} path */
  string(schema, path) {
    const [min, max] = countsOf(schema, path, 'minLength', 'maxLength');
    const { pattern } = schema;
    if (pattern === undefined) {
      return this.#values.stringOf(this.#nodes.rep(this.#values.character, min, max));
    }
    const where = `${path}/pattern`;
    if (typeof pattern !== 'string') throw invalid(where, 'must be a text');
    if (min > 0 || max < Infinity) {
      throw invalid(where, 'not supported beside minLength and maxLength; use a quantifier in it');
    }
    try {
      if (!this.#patterns.has(pattern)) {
        const nodes = new Nodes();
        const node = patternNode(nodes, pattern);
        this.#stacks -= countStacks(node, nodes.all, this.#stacks);
        this.#patterns.add(pattern);
      }
      return this.#values.stringOf(patternNode(this.#nodes, pattern));
    } catch (error) {
      throw error instanceof PatternError ? invalid(where, `the pattern ${error.message}`) : error;
    }
  }

  /** @param {Schema} schema @param {string} path */
  number(schema, path) {
    const bound = BOUNDS.find((keyword) => Object.hasOwn(schema, keyword));
    if (bound === undefined) return this.#values.number;
    throw invalid(`${path}/${bound}`, 'supported for type integer only');
  }

  /** @param {Schema} schema @param {string} path */
  integer(schema, path) {
    const most = Number.MAX_SAFE_INTEGER;
    for (const keyword of BOUNDS) {
      const bound = schema[keyword] ?? 0;
      if (!(typeof bound === 'number' && Math.abs(bound) <= most)) {
        throw invalid(`${path}/${keyword}`, `must be a number of at most ${most}`);
      }
    }
    if (!BOUNDS.some((keyword) => Object.hasOwn(schema, keyword))) return this.#values.integer;
    const { minimum = -most, maximum = most, exclusiveMinimum, exclusiveMaximum } = schema;
    const min = Math.max(Math.ceil(minimum), Math.floor(exclusiveMinimum ?? -Infinity) + 1);
    const max = Math.min(Math.floor(maximum), Math.ceil(exclusiveMaximum ?? Infinity) - 1);
    return min <= max ? integerRange(this.#nodes, min, max) : this.#nodes.alt();
  }

  /**
   * `const` and `enum`: as `JSON.stringify` writes them.
   *
   * @param {unknown} values
   * @param {Schema} schema
   * @param {string} path
   * @returns {Node}
   */
  constants(values, schema, path) {
    const list = listOf(values, `${path}/enum`);
    if (list.length > MOST_VALUES) throw invalid(`${path}/enum`, `has more than ${MOST_VALUES}`);
    const types = Object.hasOwn(schema, 'type') ? typesOf(schema, path) : TYPES;
    return this.#nodes.alt(
      ...list.filter((value) => typesOfValue(value).some((type) => types.includes(type)))
        .map((value) => JSON.stringify(value)),
    );
  }
}
