/**
 * Text ↔ token ids, as llama.cpp's `llama_vocab::impl::tokenize` and `token_to_piece`.
 *
 * The twin of compiler/mdst/text/tokenizer.py: equal ids and bytes for every text.
 */

import { MdstError } from '../errors.js';
import { ByteLevelBpe, tokenBytes } from './bpe.js';
import { TYPES } from './compact.js';
import { pieceBytes, SentencePieceBpe } from './sentencepiece.js';
import { SpecialTokens } from './special.js';
import { TokenMap } from './token_map.js';

export { expandVocabulary } from './compact.js';

/** @import { Vocabulary } from './compact.js' */

/**
 * `special`: control and unknown tokens give their text, else nothing. `whole`: the ids are a text
 * from its beginning, so the space that `encode` put in front is taken off again.
 * @typedef {{ special?: boolean, whole?: boolean }} DecodeOptions
 */

const NOTHING = new Uint8Array(0);

/** Encodes and decodes with one vocabulary. Keeps no state between calls. */
export class Tokenizer {
  #special;
  #bpe;

  /** @param {Vocabulary} vocabulary */
  constructor(vocabulary) {
    const ids = new TokenMap(vocabulary.tokens);
    this.vocabulary = vocabulary;
    this.#special = new SpecialTokens(vocabulary, ids);
    this.#bpe = vocabulary.model === 'gpt2'
      ? new ByteLevelBpe(vocabulary, ids)
      : new SentencePieceBpe(vocabulary, ids);
  }

  /**
   * `addSpecial`: BOS in front and EOS behind where the vocabulary asks for them. `parseSpecial`:
   * control tokens written in the text are found. A lone surrogate reads as U+FFFD.
   * @param {string} text
   * @param {{ addSpecial?: boolean, parseSpecial?: boolean }} [options]
   * @returns {number[]}
   */
  encode(text, { addSpecial = false, parseSpecial = false } = {}) {
    const { bos, eos, add_bos, add_eos, add_space_prefix } = this.vocabulary;
    /** @type {number[]} */
    const ids = [];
    if (addSpecial && add_bos && bos !== null) ids.push(bos);
    let afterSpecial = true;
    for (const part of this.#special.partition(text.toWellFormed(), parseSpecial)) {
      if (typeof part === 'number') ids.push(part);
      else this.#bpe.append(add_space_prefix && afterSpecial ? ' ' + part : part, ids);
      afterSpecial = typeof part === 'number';
    }
    if (addSpecial && add_eos && eos !== null) ids.push(eos);
    return ids;
  }

  /**
   * The bytes that ids stand for, not always valid UTF-8.
   * @param {Iterable<number>} ids
   * @param {DecodeOptions} [options]
   * @returns {Uint8Array<ArrayBuffer>}
   * @throws {MdstError} 'invalid_request': no token has an id
   */
  decode(ids, { special = false, whole = false } = {}) {
    const bytes = joined(Array.from(ids, (id) => this.#piece(id, special)));
    return whole && this.vocabulary.add_space_prefix && bytes[0] === 0x20
      ? bytes.subarray(1)
      : bytes;
  }

  /**
   * `decode` as text; each part that is not UTF-8 reads as U+FFFD.
   * @param {Iterable<number>} ids
   * @param {DecodeOptions} [options]
   */
  decodeText(ids, options) {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.decode(ids, options));
  }

  /**
   * @param {number} id
   * @param {boolean} special
   * @returns {Uint8Array}
   */
  #piece(id, special) {
    const { tokens, types, model } = this.vocabulary;
    if (!Number.isInteger(id) || id < 0 || id >= tokens.length) {
      throw new MdstError(
        'invalid_request',
        `token id ${id} is not one of 0 to ${tokens.length - 1}`,
      );
    }
    const token = tokens.at(id);
    switch (types[id]) {
      case TYPES.NORMAL:
        return model === 'gpt2' ? tokenBytes(token) : pieceBytes(token);
      case TYPES.BYTE:
        return byteOf(token);
      case TYPES.USER_DEFINED:
        return token;
      case TYPES.UNUSED:
        return NOTHING;
      default:
        return special ? token : NOTHING;
    }
  }
}

/** Ids one at a time → text as soon as its characters are complete. */
export class StreamDecoder {
  #tokenizer;
  #special;
  #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  /**
   * @param {Tokenizer} tokenizer
   * @param {{ special?: boolean }} [options]
   */
  constructor(tokenizer, { special = false } = {}) {
    this.#tokenizer = tokenizer;
    this.#special = special;
  }

  /**
   * @param {number} id
   * @returns {string}
   */
  push(id) {
    const bytes = this.#tokenizer.decode([id], { special: this.#special });
    return this.#utf8.decode(bytes, { stream: true });
  }

  /**
   * What is left; half a character reads as U+FFFD. The decoder can then begin anew.
   * @returns {string}
   */
  flush() {
    return this.#utf8.decode();
  }
}

/**
 * The byte that a token text `<0xXX>` stands for.
 * @param {Uint8Array} token
 */
function byteOf(token) {
  const digits = /^<0x([0-9a-fA-F]{2})>$/.exec(String.fromCharCode(...token.subarray(0, 7)));
  return digits === null ? NOTHING : Uint8Array.of(parseInt(digits[1], 16));
}

/** @param {Uint8Array[]} pieces */
function joined(pieces) {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
