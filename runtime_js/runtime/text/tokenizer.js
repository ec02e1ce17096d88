/**
 * Text ↔ token ids, as llama.cpp's `llama_vocab::impl::tokenize` and `token_to_piece`.
 *
 * The twin of compiler/mdst/text/tokenizer.py: equal ids and bytes for every text.
 */

import { MdstError } from '../errors.js';
import { Bpe, writeBytes } from './bpe.js';
import { byteOf, writePiece } from './characters.js';
import { expandVocabulary, Tokens, TYPES } from './compact.js';
import { SpecialTokens } from './special.js';
import { TokenMap } from './token_map.js';

export { expandVocabulary };

/**
 * @import { Vocabulary } from './compact.js'
 *
 * Text that holds no special tokens → ids, put behind those that are there.
 * @typedef {{ append(text: string, ids: number[]): void }} Encoder
 * @typedef {new (vocabulary: Vocabulary, ids: TokenMap) => Encoder} EncoderClass
 */

/**
 * `special`: control and unknown tokens give their text, else nothing. `whole`: the ids are a text
 * from its beginning, so the space that `encode` put in front is taken off again.
 * @typedef {{ special?: boolean, whole?: boolean }} DecodeOptions
 */

/**
 * A vocabulary file → its tokenizer. Loads other encoders than that of BPE when a model has one.
 * @param {ArrayBuffer} buffer
 * @throws {MdstError} 'format': the buffer is no such file
 */
export async function openTokenizer(buffer) {
  const vocabulary = expandVocabulary(buffer);
  return new Tokenizer(vocabulary, await encoderOf(vocabulary.model));
}

/**
 * @param {Vocabulary['model']} model
 * @returns {Promise<EncoderClass>}
 */
async function encoderOf(model) {
  switch (model) {
    case 'gpt2':
      return Bpe;
    case 'llama':
      return (await import('./sentencepiece.js')).SentencePieceBpe;
    case 'bert':
      return (await import('./rare/wordpiece.js')).WordPiece;
    case 't5':
      return (await import('./rare/unigram.js')).Unigram;
    case 'rwkv':
      return (await import('./rare/longest.js')).LongestToken;
    case 'plamo2':
      return (await import('./rare/plamo2.js')).CheapestTokens;
  }
}

/** Encodes and decodes with one vocabulary. Keeps no state between calls. */
export class Tokenizer {
  #special;
  #encoder;
  /** Where the encoder puts a space in front, or its words have one. */
  #beginsWithSpace;
  /** @type {Tokens | null} what each id adds to a text; made when first asked for */
  #pieces = null;

  /**
   * @param {Vocabulary} vocabulary
   * @param {EncoderClass} Encoder for its model
   */
  constructor(vocabulary, Encoder) {
    const ids = new TokenMap(vocabulary.tokens);
    this.vocabulary = vocabulary;
    this.#special = new SpecialTokens(vocabulary, ids);
    this.#encoder = new Encoder(vocabulary, ids);
    this.#beginsWithSpace = vocabulary.add_space_prefix || vocabulary.model === 'bert';
  }

  /**
   * `addSpecial`: BOS in front, EOS and SEP behind where the vocabulary asks for them. `parseSpecial`:
   * control tokens written in the text are found. A lone surrogate reads as U+FFFD.
   * @param {string} text
   * @param {{ addSpecial?: boolean, parseSpecial?: boolean }} [options]
   * @returns {number[]}
   */
  encode(text, { addSpecial = false, parseSpecial = false } = {}) {
    const { model, bos, eos, sep, add_bos, add_eos, add_space_prefix } = this.vocabulary;
    const prefixed = model === 'llama' && add_space_prefix;
    /** @type {number[]} */
    const ids = [];
    if (addSpecial && add_bos && bos !== null) ids.push(bos);
    let afterSpecial = true;
    for (const part of this.#special.partition(text.toWellFormed(), parseSpecial)) {
      if (typeof part === 'number') ids.push(part);
      else this.#encoder.append(prefixed && afterSpecial ? ' ' + part : part, ids);
      afterSpecial = typeof part === 'number';
    }
    if (addSpecial && add_eos && eos !== null) ids.push(eos);
    if (addSpecial && sep !== null) ids.push(sep);
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
    const bytes = joined(Array.from(ids, (id) => this.tokenBytes(id, special)));
    return whole && this.#beginsWithSpace && bytes[0] === 0x20 ? bytes.subarray(1) : bytes;
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
   * The bytes that an id adds to a text, not always valid UTF-8; do not write to them.
   * @param {number} id
   * @param {boolean} [special] control and unknown tokens give their text, else nothing
   * @returns {Uint8Array}
   * @throws {MdstError} 'invalid_request': no token has the id
   */
  tokenBytes(id, special = false) {
    const { tokens, types } = this.vocabulary;
    if (!Number.isInteger(id) || id < 0 || id >= tokens.length) {
      throw new MdstError(
        'invalid_request',
        `token id ${id} is not one of 0 to ${tokens.length - 1}`,
      );
    }
    const control = types[id] === TYPES.CONTROL || types[id] === TYPES.UNKNOWN;
    if (special && control) return tokens.at(id);
    this.#pieces ??= pieces(this.vocabulary);
    return this.#pieces.at(id);
  }
}

/**
 * What each id adds to a text, nothing for control and unknown tokens.
 * @param {Vocabulary} vocabulary
 */
function pieces({ tokens, types, model, byte_level }) {
  const { bytes, offsets } = tokens;
  // None is longer than its token's text.
  const out = new Uint8Array(bytes.length);
  const ends = new Uint32Array(offsets.length);
  const plain = model === 'rwkv' || model === 'plamo2';
  const write = byte_level ? writeBytes : writePiece;
  let at = 0;
  types.forEach((type, id) => {
    if (type === TYPES.USER_DEFINED || (type === TYPES.NORMAL && plain)) {
      out.set(tokens.at(id), at);
      at += offsets[id + 1] - offsets[id];
    } else if (type === TYPES.NORMAL) {
      at = write(bytes, offsets[id], offsets[id + 1], out, at);
    } else if (type === TYPES.BYTE) {
      const byte = byteOf(tokens.at(id));
      if (byte >= 0) out[at++] = byte;
    }
    ends[id + 1] = at;
  });
  return new Tokens(out.subarray(0, at), ends);
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
