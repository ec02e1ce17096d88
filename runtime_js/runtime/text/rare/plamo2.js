/**
 * Text → token ids of PLaMo 2: the tokens whose costs add up to the least.
 *
 * The twin of compiler/mdst/text/plamo2.py: costs are negated scores in steps of 1e-4, found from the
 * text's end; a character that no token covers becomes its bytes.
 */

import { byteTokens, characterSize, UTF8 } from '../characters.js';
import { TYPES } from '../compact.js';

/**
 * @import { Vocabulary } from '../compact.js'
 * @import { TokenMap } from '../token_map.js'
 */

const STEPS = 10_000;
const UNKNOWN_COST = 10_000_000;
const TOO_COSTLY = 20_000_000;
const UNKNOWN = -1;
/** @type {number[]} */
const KEPT = [TYPES.NORMAL, TYPES.USER_DEFINED, TYPES.UNUSED];

/** Encodes text that holds no special tokens. */
export class CheapestTokens {
  #ids;
  #costs;
  #byteIds;

  /**
   * @param {Vocabulary} vocabulary
   * @param {TokenMap} ids of its tokens
   */
  constructor(vocabulary, ids) {
    const { types, scores } = vocabulary;
    this.#ids = ids;
    this.#byteIds = byteTokens(ids);
    this.#costs = Float64Array.from(types, (type, id) => {
      const score = (scores?.[id] ?? 0) * STEPS;
      // Halves are rounded away from zero, as in C.
      const cost = -Math.sign(score) * Math.floor(Math.abs(score) + 0.5);
      return KEPT.includes(type) && cost < TOO_COSTLY ? cost : Infinity;
    });
  }

  /**
   * @param {string} text well-formed
   * @param {number[]} ids where the ids of `text` go
   */
  append(text, ids) {
    const bytes = UTF8.encode(text.startsWith('\ufeff') ? text.slice(1) : text);
    const n = bytes.length;
    const sums = new Float64Array(n + 1).fill(Infinity);
    const ends = new Int32Array(n);
    const chosen = new Int32Array(n);
    sums[n] = 0;
    for (let start = n - 1; start >= 0; start--) {
      const size = characterSize(bytes[start]);
      if ((bytes[start] & 0xc0) === 0x80) continue;
      // Of equal sums the longest token's counts, which comes last.
      const offer = (
        /** @type {number} */ id,
        /** @type {number} */ end,
        /** @type {number} */ sum,
      ) => {
        sums[start] = sum;
        ends[start] = end;
        chosen[start] = id;
      };
      this.#ids.prefixes(bytes, start, (id, end) => {
        const sum = sums[end] + this.#costs[id];
        if (sum < Infinity && sum <= sums[start]) offer(id, end, sum);
      });
      const sum = sums[start + size] + UNKNOWN_COST;
      if (sum < sums[start]) offer(UNKNOWN, start + size, sum);
    }
    for (let start = 0; start < n; start = ends[start]) {
      const known = chosen[start] !== UNKNOWN;
      const found = known
        ? [chosen[start]]
        : Array.from(bytes.subarray(start, ends[start]), (byte) => this.#byteIds[byte]);
      ids.push(...found.filter((id) => id >= 0));
    }
  }
}
