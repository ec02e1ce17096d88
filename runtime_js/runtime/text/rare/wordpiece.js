/**
 * Text → token ids by WordPiece ("bert"): each word as the longest tokens that make it up.
 *
 * The twin of compiler/mdst/text/wordpiece.py.
 */

import { SPACE, UTF8 } from '../characters.js';
import { pattern } from '../pretokenize.js';

/**
 * @import { Vocabulary } from '../compact.js'
 * @import { TokenMap } from '../token_map.js'
 */

/** Encodes text that holds no special tokens. */
export class WordPiece {
  #vocabulary;
  #ids;
  #dropped;
  #words;

  /**
   * @param {Vocabulary} vocabulary
   * @param {TokenMap} ids of its tokens
   */
  constructor(vocabulary, ids) {
    this.#vocabulary = vocabulary;
    this.#ids = ids;
    this.#dropped = pattern(vocabulary.patterns[0]);
    this.#words = pattern(vocabulary.patterns[1]);
  }

  /**
   * @param {string} text well-formed
   * @param {number[]} ids where the ids of `text` go
   */
  append(text, ids) {
    const { unk } = this.#vocabulary;
    for (const word of this.#normalized(text).match(this.#words) ?? []) {
      const pieces = this.#pieces(UTF8.encode(SPACE + word));
      for (const id of pieces) ids.push(id);
      if (pieces.length === 0 && unk !== null) ids.push(unk);
    }
  }

  /** @param {string} text */
  #normalized(text) {
    const { lowercase, strip_accents } = this.#vocabulary;
    if (strip_accents) text = text.normalize('NFD').replace(/\p{Mn}+/gu, '');
    text = text.replace(this.#dropped, '');
    // One by one: a sigma at the end of a word is like any other.
    return lowercase ? Array.from(text, (character) => character.toLowerCase()).join('') : text;
  }

  /**
   * None at all for a word that has a part without token.
   * @param {Uint8Array} word
   */
  #pieces(word) {
    const pieces = [];
    for (let start = 0; start < word.length;) {
      let longest = -1;
      let next = start;
      this.#ids.prefixes(word, start, (id, end) => {
        longest = id;
        next = end;
      });
      if (longest < 0) return [];
      pieces.push(longest);
      start = next;
    }
    return pieces;
  }
}
