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
const TRAILING_SPACE = /[ \t\n\v\f\r]+$/;

/** @typedef {{ id: number, text: string, always: boolean, lstrip: boolean, rstrip: boolean, size: number }} Special */

export class SpecialTokens {
  /**
   * By their first code unit, then by text: there may be thousands, and few are in a text.
   * @type {Map<number, { lengths: Set<number>, tokens: Map<string, Special> }>}
   */
  #byFirst = new Map();

  /**
   * @param {Vocabulary} vocabulary
   * @param {TokenMap} ids of its tokens
   */
  constructor(vocabulary, ids) {
    const { tokens, types } = vocabulary;
    const lstrip = new Set(vocabulary.lstrip_ids);
    const rstrip = new Set(vocabulary.rstrip_ids);
    const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    for (let id = 0; id < tokens.length; id++) {
      const type = types[id];
      const special = type === TYPES.CONTROL || type === TYPES.USER_DEFINED ||
        type === TYPES.UNKNOWN;
      if (!special) continue;
      const bytes = tokens.at(id);
      // Of equal texts the last id is the one that text becomes.
      const text = ids.find(bytes) === id ? decoded(utf8, bytes) : null;
      if (text === null) continue;
      const same = this.#byFirst.get(text.charCodeAt(0)) ??
        { lengths: new Set(), tokens: new Map() };
      this.#byFirst.set(text.charCodeAt(0), same);
      same.lengths.add(text.length);
      same.tokens.set(text, {
        id,
        text,
        always: type === TYPES.USER_DEFINED,
        lstrip: lstrip.has(id),
        rstrip: rstrip.has(id),
        size: bytes.length,
      });
    }
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
    for (const token of this.#present(text)) {
      if (!(parseSpecial || token.always)) continue;
      parts = parts.flatMap((part) => typeof part === 'string' ? split(part, token) : [part]);
    }
    return parts;
  }

  /**
   * The special tokens that a text holds anywhere, the longest first.
   * @param {string} text
   */
  #present(text) {
    /** @type {Set<Special>} */
    const found = new Set();
    for (let i = 0; i < text.length; i++) {
      const same = this.#byFirst.get(text.charCodeAt(i));
      for (const length of same?.lengths ?? []) {
        const token = same?.tokens.get(text.slice(i, i + length));
        if (token !== undefined) found.add(token);
      }
    }
    return [...found].sort((a, b) => b.size - a.size || a.id - b.id);
  }
}

/**
 * @param {string} text
 * @param {Special} token
 */
function split(text, token) {
  const pieces = text.split(token.text);
  /** @type {(string | number)[]} */
  const parts = [];
  for (let [index, piece] of pieces.entries()) {
    if (index > 0) parts.push(token.id);
    if (index > 0 && token.rstrip) piece = piece.replace(LEADING_SPACE, '');
    if (index < pieces.length - 1 && token.lstrip) piece = piece.replace(TRAILING_SPACE, '');
    if (piece !== '') parts.push(piece);
  }
  return parts;
}

/**
 * Null when the bytes are not UTF-8: no text holds them then.
 * @param {TextDecoder} utf8 strict
 * @param {Uint8Array} bytes
 */
function decoded(utf8, bytes) {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
