/**
 * Which tokens may come next in a text that a grammar describes.
 *
 * @import { Automaton, State } from './automaton.js'
 * @import { TokenTable } from './tokens.js'
 */

import { MdstError } from '../errors.js';

const MOST_MASKS = 256; // of 32 KiB each for 262,144 tokens

/** One text on its way. Cheap to clone: masks and states belong to the constraint. */
export class Matcher {
  #constraint;
  #state;
  #left;
  #ended = false;

  /**
   * @param {Constraint} constraint
   * @param {number} budget tokens that the text may have, without the one that ends it
   * @param {State} [state]
   */
  constructor(constraint, budget, state = constraint.automaton.start) {
    this.#constraint = constraint;
    this.#left = budget;
    this.#state = state;
  }

  /** Whether the text may end here; tokens that end a text are then allowed. */
  get done() {
    return this.#state.accepts;
  }

  /** Whether nothing may follow but the end: the value is closed, or the tokens are used up. */
  get mustEnd() {
    return this.#ended || (this.done && (this.#left <= 0 || this.#state.cells.length === 1));
  }

  /** Tokens that are always enough to complete the text. */
  get distance() {
    return this.#state.distance;
  }

  /**
   * One bit for each id, from the lowest bit of the first word on; it belongs to others too: read
   * only. With tokens running out, only such as leave enough of them to complete the text; if
   * there never were enough, those that lead to the end soonest.
   *
   * @returns {Uint32Array} [⌈size / 32⌉]
   * @throws {MdstError} 'invalid_request': the schema allows too many readings of the text
   */
  mask() {
    if (this.#ended) return this.#constraint.endMask;
    const limit = Math.min(Math.max(this.#left, this.#state.distance) - 1, Number.MAX_VALUE);
    return this.#constraint.mask(this.#state, limit);
  }

  /**
   * @param {number} id
   * @throws {MdstError} 'invalid_request': the text may not go on so; the matcher is as before
   */
  accept(id) {
    const { tokens, automaton } = this.#constraint;
    /** @type {State | null} */
    let state = null;
    if (tokens.endIds.includes(id)) {
      this.#ended ||= this.done;
      if (this.#ended) return;
    } else if (!this.#ended && tokens.pieces[id]?.length > 0) {
      state = this.#state;
      automaton.begin();
      for (const byte of tokens.pieces[id]) {
        state = automaton.step(state, byte);
        if (state === null) break;
      }
    }
    if (state === null || state.distance === Infinity) {
      throw new MdstError('invalid_request', `token ${id} does not fit the schema here`);
    }
    this.#state = automaton.trimmed(state);
    this.#left -= 1;
  }

  /** Another one that goes on from here. */
  clone() {
    const twin = new Matcher(this.#constraint, this.#left, this.#state);
    twin.#ended = this.#ended;
    return twin;
  }
}

/** A grammar over a vocabulary: makes matchers and their masks. */
export class Constraint {
  /** @type {State[]} those whose masks are kept, oldest first */
  #masked = [];

  /**
   * @param {Automaton} automaton
   * @param {TokenTable} tokens
   */
  constructor(automaton, tokens) {
    this.automaton = automaton;
    this.tokens = tokens;
    this.endMask = new Uint32Array(Math.ceil(tokens.size / 32));
    allowAll(this.endMask, tokens.endIds);
  }

  /** @param {{ budget?: number }} [options] tokens that the text may have; default: no limit */
  matcher({ budget = Infinity } = {}) {
    return new Matcher(this, budget);
  }

  /**
   * @param {State} state
   * @param {number} limit how far from the end of the text a token may lead
   */
  mask(state, limit) {
    if (state.mask !== null && state.mask.farthest <= limit) return state.mask.bits;
    const mask = this.#walk(state, limit);
    if (mask.farthest > limit) return mask.bits; // holds for this limit only
    if (state.mask === null) this.#masked.push(state);
    state.mask = mask;
    if (this.#masked.length > MOST_MASKS) {
      const oldest = this.#masked.shift();
      if (oldest !== undefined) oldest.mask = null;
    }
    return mask.bits;
  }

  /**
   * Reads all tokens at once: those with the same beginning share its states.
   *
   * @param {State} start
   * @param {number} limit
   */
  #walk(start, limit) {
    const { automaton, tokens } = this;
    const { bytes, depths, skip, first, ids } = tokens;
    const bits = start.accepts ? this.endMask.slice() : new Uint32Array(this.endMask.length);
    /** @type {State[]} */
    const states = [start];
    let farthest = 0;
    automaton.begin();
    for (let node = 0; node < bytes.length;) {
      const depth = depths[node];
      const before = states[depth];
      const byte = bytes[node];
      const known = before.next?.[byte];
      const state = known === undefined ? automaton.step(before, byte) : known;
      if (state === null) {
        node = skip[node];
        continue;
      }
      states[depth + 1] = state;
      node += 1;
      const end = first[node];
      if (first[node - 1] === end) continue;
      const { distance } = state;
      if (distance > farthest && distance < Infinity) farthest = distance;
      if (distance > limit) continue;
      for (let i = first[node - 1]; i < end; i++) bits[ids[i] >> 5] |= 1 << (ids[i] & 31);
    }
    return { bits, farthest };
  }
}

/** @param {Uint32Array} bits @param {readonly number[]} ids */
function allowAll(bits, ids) {
  for (const id of ids) bits[id >> 5] |= 1 << (id & 31);
}
