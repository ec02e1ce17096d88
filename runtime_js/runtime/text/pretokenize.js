/**
 * Text → words, by the regular expressions that come with the vocabulary.
 *
 * The twin of compiler/mdst/text/pretokenize.py, which has the rules and their sources. Each pattern
 * cuts every piece the one before it left into its matches and the gaps between them, and sees
 * nothing outside its piece.
 */

import { MdstError } from '../errors.js';

export class Pretokenizer {
  #patterns;

  /**
   * @param {string[]} patterns
   * @throws {MdstError} 'format': a pattern is no regular expression
   */
  constructor(patterns) {
    this.#patterns = patterns.map(pattern);
  }

  /**
   * Joined again the words are the text.
   * @param {string} text
   * @returns {string[]}
   */
  split(text) {
    let words = text === '' ? [] : [text];
    for (const pattern of this.#patterns) {
      /** @type {string[]} */
      const pieces = [];
      for (const word of words) cut(word, pattern, pieces);
      words = pieces;
    }
    return words;
  }
}

/**
 * @param {string} source
 * @throws {MdstError} 'format': it is no regular expression
 */
export function pattern(source) {
  try {
    return new RegExp(source, 'gu');
  } catch {
    throw new MdstError('format', `the vocabulary file has a pattern that is not valid: ${source}`);
  }
}

/**
 * @param {string} word
 * @param {RegExp} pattern
 * @param {string[]} pieces where the pieces of `word` go
 */
function cut(word, pattern, pieces) {
  let end = 0;
  for (const match of word.matchAll(pattern)) {
    if (match.index > end) pieces.push(word.slice(end, match.index));
    if (match[0] !== '') pieces.push(match[0]);
    end = match.index + match[0].length;
  }
  if (end < word.length) pieces.push(word.slice(end));
}
