/**
 * Text → token ids by a unigram model ("t5"): the tokens whose scores add up to the most.
 *
 * The twin of compiler/mdst/text/unigram.py: SentencePiece's Viterbi search. Characters that no token
 * covers are the unknown token, one for a run of them.
 */

import { characterSize, SPACE, UTF8 } from '../characters.js';
import { CharsMap } from './charsmap.js';
import { TYPES } from '../compact.js';

/**
 * @import { Vocabulary } from '../compact.js'
 * @import { TokenMap } from '../token_map.js'
 */

const UNKNOWN_PENALTY = 10;
const UNKNOWN = -1;

/** Encodes text that holds no special tokens. */
export class Unigram {
  #vocabulary;
  #ids;
  #scores;
  #unknownScore;
  #charsmap;

  /**
   * @param {Vocabulary} vocabulary
   * @param {TokenMap} ids of its tokens
   */
  constructor(vocabulary, ids) {
    const { tokens, types, scores, charsmap } = vocabulary;
    this.#vocabulary = vocabulary;
    this.#ids = ids;
    // User-defined tokens count as certain; −Infinity: never found in a text.
    this.#scores = scores === null ? new Float32Array(tokens.length) : scores.slice();
    let least = Infinity;
    for (let id = 0; id < tokens.length; id++) {
      if (types[id] === TYPES.NORMAL) least = Math.min(least, this.#scores[id]);
      else if (types[id] === TYPES.USER_DEFINED) this.#scores[id] = 0;
      else if (types[id] !== TYPES.UNUSED) this.#scores[id] = -Infinity;
    }
    this.#unknownScore = Math.fround((least === Infinity ? 0 : least) - UNKNOWN_PENALTY);
    this.#charsmap = charsmap.length > 0 ? new CharsMap(charsmap) : null;
  }

  /**
   * @param {string} text well-formed
   * @param {number[]} ids where the ids of `text` go
   */
  append(text, ids) {
    const { unk } = this.#vocabulary;
    /** @type {number | null} */
    let last = null;
    for (const found of this.#best(UTF8.encode(this.#normalized(text)))) {
      const id = found === UNKNOWN ? unk : found;
      if (id !== null && !(id === last && id === unk)) ids.push(id);
      last = id;
    }
  }

  /**
   * Mapped, with `▁` for spaces and where a word begins.
   * @param {string} text
   */
  #normalized(text) {
    const { merge_spaces, add_space_prefix } = this.#vocabulary;
    const words = (this.#charsmap?.map(text) ?? text).split(' ');
    if (merge_spaces) return words.map((word) => word && SPACE + word).join('');
    return (add_space_prefix && words.some((word) => word) ? SPACE : '') + words.join(SPACE);
  }

  /**
   * Ids, or UNKNOWN for a character. Of equal sums the longer last token wins.
   * @param {Uint8Array} bytes
   */
  #best(bytes) {
    const n = bytes.length;
    const sums = new Float64Array(n + 1).fill(-Infinity);
    const starts = new Int32Array(n + 1);
    const chosen = new Int32Array(n + 1);
    sums[0] = 0;
    for (let start = 0; start < n;) {
      const next = start + characterSize(bytes[start]);
      let covered = false;
      const offer = (
        /** @type {number} */ id,
        /** @type {number} */ end,
        /** @type {number} */ score,
      ) => {
        if (sums[start] + score <= sums[end]) return;
        sums[end] = sums[start] + score;
        starts[end] = start;
        chosen[end] = id;
      };
      this.#ids.prefixes(bytes, start, (id, end) => {
        if (this.#scores[id] === -Infinity) return;
        covered ||= end === next;
        offer(id, end, this.#scores[id]);
      });
      if (!covered) offer(UNKNOWN, next, this.#unknownScore);
      start = next;
    }
    const ids = [];
    for (let end = n; end > 0; end = starts[end]) ids.push(chosen[end]);
    return ids.reverse();
  }
}
