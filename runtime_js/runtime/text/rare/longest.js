/**
 * Text → token ids of RWKV's "world" vocabulary: the longest token that comes next, in bytes.
 *
 * The twin of compiler/mdst/text/longest.py. A byte that begins no token is the unknown token.
 */

import { UTF8 } from '../characters.js';

/**
 * @import { Vocabulary } from '../compact.js'
 * @import { TokenMap } from '../token_map.js'
 */

/** Encodes text that holds no special tokens. */
export class LongestToken {
  #ids;
  #unknown;

  /**
   * @param {Vocabulary} vocabulary
   * @param {TokenMap} ids of its tokens
   */
  constructor(vocabulary, ids) {
    this.#ids = ids;
    this.#unknown = vocabulary.unk;
  }

  /**
   * @param {string} text well-formed
   * @param {number[]} ids where the ids of `text` go
   */
  append(text, ids) {
    const bytes = UTF8.encode(text);
    for (let start = 0; start < bytes.length;) {
      let longest = this.#unknown;
      let next = start + 1;
      this.#ids.prefixes(bytes, start, (id, end) => {
        longest = id;
        next = end;
      });
      if (longest !== null) ids.push(longest);
      start = next;
    }
  }
}
