/**
 * Text → the special tokens in it and the texts between them.
 *
 * The twin of compiler/mdst/text/special.py: longest token first, each taken wherever the texts that
 * are left still hold it. User-defined tokens are always found; control and unknown tokens only on
 * request, so that what a user types cannot end a turn.
 */

import { TYPES } from './compact.js';

/**
 * @import { Vocabulary } from './compact.js'
 * @import { TokenMap } from './token_map.js'
 */

const LEADING_SPACE = /^[ \t\n\v\f\r]+/;

export class SpecialTokens {
  /** @type {{ id: number, text: string, always: boolean, rstrip: boolean, size: number }[]} */
  #tokens = [];

  /**
   * @param {Vocabulary} vocabulary
   * @param {TokenMap} ids of its tokens
   */
  constructor(vocabulary, ids) {
    const { tokens, types } = vocabulary;
    const rstrip = new Set(vocabulary.rstrip_ids);
    for (let id = 0; id < tokens.length; id++) {
      const type = types[id];
      const special = type === TYPES.CONTROL || type === TYPES.USER_DEFINED ||
        type === TYPES.UNKNOWN;
      const bytes = tokens.at(id);
      // Of equal texts the last id is the one that text becomes.
      const text = special && ids.find(bytes) === id ? decoded(bytes) : null;
      if (text !== null) {
        const always = type === TYPES.USER_DEFINED;
        this.#tokens.push({ id, text, always, rstrip: rstrip.has(id), size: bytes.length });
      }
    }
    this.#tokens.sort((a, b) => b.size - a.size || a.id - b.id);
  }

  /**
   * Non-empty texts and ids of special tokens, in order.
   * @param {string} text
   * @param {boolean} parseSpecial find them all
   * @returns {(string | number)[]}
   */
  partition(text, parseSpecial) {
    /** @type {(string | number)[]} */
    let parts = text === '' ? [] : [text];
    for (const token of this.#tokens) {
      if (!(parseSpecial || token.always) || !text.includes(token.text)) continue;
      parts = parts.flatMap((part) => typeof part === 'string' ? split(part, token) : [part]);
    }
    return parts;
  }
}

/**
 * @param {string} text
 * @param {{ id: number, text: string, rstrip: boolean }} token
 */
function split(text, token) {
  /** @type {(string | number)[]} */
  const parts = [];
  for (const [index, piece] of text.split(token.text).entries()) {
    if (index > 0) parts.push(token.id);
    const kept = index > 0 && token.rstrip ? piece.replace(LEADING_SPACE, '') : piece;
    if (kept !== '') parts.push(kept);
  }
  return parts;
}

/**
 * Null when the bytes are not UTF-8: no text holds them then.
 * @param {Uint8Array} bytes
 */
function decoded(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
