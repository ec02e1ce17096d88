/**
 * A grammar read byte by byte: sets of stacks, made when they are met and remembered.
 *
 * A stack of places in nodes is a list of cells from the top; equal stacks are one cell. A state is a
 * set of stacks whose tops take a byte. What may follow a state is found once: so to read a
 * text again, or another one of the same shape, costs a look-up per byte.
 *
 * @import { Grammar, Node } from './nodes.js'
 */

import { MdstError } from '../errors.js';
import { costFrom, has } from './nodes.js';

const MOST_STACKS = 20_000; // of a state; those nearest to their end are kept
const MOST_STATES = 8192; // remembered before they are forgotten
const MOST_WORK = 500_000; // stacks made or met for one mask: up to a second
const STATE_WORK = 50; // what a new state counts for
const LOOK_WORK = 1 / 16; // what it counts for whether a stack takes a byte

/** A place in a node and what comes after the node; without node: the end of the text. */
class Cell {
  /** @type {Map<number, Cell> | null} cells on top of this one */
  above = null;
  /** @type {State | null | undefined} the state of this stack alone */
  state = undefined;

  /**
   * @param {number} id
   * @param {Node | null} node
   * @param {number} at
   * @param {Cell | null} rest
   * @param {number} distance tokens that are always enough to reach the end
   */
  constructor(id, node, at, rest, distance) {
    this.id = id;
    this.node = node;
    this.at = at;
    this.rest = rest;
    this.distance = distance;
  }
}

export class State {
  /** @type {(State | null | undefined)[] | null} by byte; null: nothing may follow */
  next = null;
  /** @type {{ bits: Uint32Array, farthest: number } | null} kept by whoever makes masks */
  mask = null;

  /** @param {Cell[]} cells */
  constructor(cells) {
    this.cells = cells;
    this.accepts = cells.some((cell) => cell.node === null);
    this.distance = cells.reduce((least, cell) => Math.min(least, cell.distance), Infinity);
  }
}

export class Automaton {
  #root;
  #costs;
  #cells = 0;
  #work = 0;
  #states = 0;
  /** @type {Map<string, State>} */
  #known = new Map();
  /** @type {Map<string, State | null>} */
  #closed = new Map();
  #end = new Cell(0, null, 0, null, 0);

  /**
   * @param {Grammar} grammar
   * @param {(Float64Array | number)[]} costs of its nodes
   * @throws {MdstError} 'invalid_request': no text matches
   */
  constructor(grammar, costs) {
    this.#root = grammar.root;
    this.#costs = costs;
    this.start = this.#begin();
  }

  /** To be said before each token or mask, whose work is bounded. */
  begin() {
    this.#work = 0;
  }

  /** How many states were made. */
  get size() {
    return this.#states;
  }

  /**
   * @param {State} state
   * @param {number} byte
   * @returns {State | null} null: the byte may not follow
   */
  step(state, byte) {
    const next = state.next ??= new Array(256).fill(undefined);
    const known = next[byte];
    return known === undefined ? next[byte] = this.#follow(state, byte) : known;
  }

  /**
   * Forgets all states but one when there are many.
   * @param {State} state
   * @returns {State} an equal one
   */
  trimmed(state) {
    if (this.#states <= MOST_STATES) return state;
    this.#states = 0;
    this.#known.clear();
    this.#closed.clear();
    this.#end = new Cell(0, null, 0, null, 0);
    this.start = this.#begin();
    return /** @type {State} */ (this.#close(state.cells.map((cell) => this.#copy(cell))));
  }

  #begin() {
    const start = this.#close([this.#push(this.#root, 0, this.#end)]);
    if (start === null) {
      throw new MdstError('invalid_request', 'no text that this model can write fits the schema');
    }
    return start;
  }

  /** @param {State} state @param {number} byte */
  #follow(state, byte) {
    /** @type {Cell[]} */
    const results = [];
    this.#spend(LOOK_WORK * state.cells.length);
    for (const cell of state.cells) {
      const { node, at } = cell;
      const rest = /** @type {Cell} */ (cell.rest);
      if (node?.kind === 'set') {
        if (has(node.set, byte)) results.push(rest);
      } else if (node?.kind === 'text' && node.bytes[at] === byte) {
        results.push(at + 1 < node.bytes.length ? this.#push(node, at + 1, rest) : rest);
      }
    }
    if (results.length === 0) return null;
    if (results.length === 1) {
      const [cell] = results;
      return cell.state === undefined ? cell.state = this.#close(results) : cell.state;
    }
    const key = keyOf(results);
    let found = this.#closed.get(key);
    if (found === undefined) this.#closed.set(key, found = this.#close(results));
    return found;
  }

  /**
   * The state of all stacks that take a byte, or have ended, which some stacks stand for.
   *
   * @param {Cell[]} from
   * @returns {State | null} null: none of them leads to an end
   */
  #close(from) {
    const seen = new Set(from);
    /** @type {Cell[]} */
    let tops = [];
    for (const cell of seen) { // grows on the way
      this.#spend(1);
      const { node } = cell;
      if (cell.distance === Infinity && !withinText(cell)) continue;
      if (node === null || node.kind === 'text' || node.kind === 'set') tops.push(cell);
      else this.#expand(cell, node, seen);
    }
    if (tops.length === 0) return null;
    if (tops.length > MOST_STACKS) {
      tops = tops.sort((a, b) => a.distance - b.distance).slice(0, MOST_STACKS);
    }
    const key = keyOf(tops);
    let state = this.#known.get(key);
    if (state === undefined) {
      this.#known.set(key, state = new State(tops));
      this.#states += 1;
      this.#spend(STATE_WORK);
    }
    return state;
  }

  /** @param {Cell} cell @param {Node} node of it @param {Set<Cell>} into */
  #expand(cell, node, into) {
    const { at } = cell;
    const rest = /** @type {Cell} */ (cell.rest);
    switch (node.kind) {
      case 'seq':
        if (node.items.length === 0) into.add(rest);
        else {
          const after = at + 1 < node.items.length ? this.#push(node, at + 1, rest) : rest;
          into.add(this.#push(node.items[at], 0, after));
        }
        return;
      case 'alt':
        for (const item of node.items) into.add(this.#push(item, 0, rest));
        return;
      case 'rep': {
        const done = node.max === Infinity ? Math.min(at + 1, node.min) : at + 1;
        const after = done < node.max ? this.#push(node, done, rest) : rest;
        into.add(this.#push(node.item, 0, after));
        if (at >= node.min) into.add(rest);
        return;
      }
      case 'ref':
        into.add(this.#push(/** @type {Node} */ (node.target), 0, rest));
    }
  }

  /** @param {Node} node @param {number} at @param {Cell} rest */
  #push(node, at, rest) {
    const above = rest.above ??= new Map();
    const key = node.id * 2 ** 32 + at;
    let cell = above.get(key);
    if (cell === undefined) {
      const distance = costFrom(node, at, this.#costs) + rest.distance;
      above.set(key, cell = new Cell(++this.#cells, node, at, rest, distance));
    }
    return cell;
  }

  /** The same stack over this automaton's end. @param {Cell} cell */
  #copy(cell) {
    /** @type {Cell[]} */
    const stack = [];
    for (let at = cell; at.rest !== null; at = at.rest) stack.push(at);
    return stack.reduceRight(
      (rest, { node, at }) => this.#push(/** @type {Node} */ (node), at, rest),
      this.#end,
    );
  }

  /** @param {number} work */
  #spend(work) {
    this.#work += work;
    if (this.#work > MOST_WORK) {
      throw new MdstError('invalid_request', 'the schema can be read in too many ways at once');
    }
  }
}

/**
 * Whether a token that leads past this place may be at work; without one there is no way on.
 * @param {Cell} cell
 */
function withinText({ node, at, rest }) {
  return node?.kind === 'text' && at > 0 && /** @type {Cell} */ (rest).distance < Infinity;
}

/** @param {Cell[]} cells */
function keyOf(cells) {
  return cells.map((cell) => cell.id).sort((a, b) => a - b).join();
}
