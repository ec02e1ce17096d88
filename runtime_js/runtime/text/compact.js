/**
 * The vocabulary file of a bundle → `Vocabulary`.
 *
 * The twin of compiler/mdst/text/compact.py, which documents the bytes. Arrays of numbers are laid
 * over the file as they are: it is little endian, and so is every machine that WebGPU runs on.
 */

import { MdstError } from '../errors.js';

const MAGIC = 0x5654444d; // "MDTV"
const VERSION = 2;
const HEADER_BYTES = 84;
const MODELS = /** @type {const} */ (['gpt2', 'llama', 'bert', 't5', 'rwkv', 'plamo2']);
const ALL_FLAGS = 2047;

/** Types of tokens, as llama.cpp numbers them. */
export const TYPES = Object.freeze({
  NORMAL: 1,
  UNKNOWN: 2,
  CONTROL: 3,
  USER_DEFINED: 4,
  UNUSED: 5,
  BYTE: 6,
});

/**
 * A tokenizer as data, with the names of the Python twin.
 *
 * `byte_level`: tokens of 'gpt2' are spelled in GPT-2's alphabet of 256 printable characters; else `▁`
 * is a space in them. `tokens`: texts as the file stores them, those of 'rwkv' as bytes.
 * `scores`: only for 'llama', 't5' and 'plamo2'.
 * `merges`: ids of both parts and of the result, best merge first, only for 'gpt2'.
 * `sep` goes behind a text of 'bert'.
 * `patterns`: regular expressions that cut text into words, applied one after another; for 'bert'
 * what is dropped and what is a word.
 * `whole_words`: a word that is a token as it stands is not merged; `whole_line_feeds`: nor is a run
 * of line feeds.
 * `merge_spaces`: a run of spaces counts as one, none at the ends ('t5').
 * `lowercase`, `strip_accents`: what 'bert' does to a text first; `charsmap`: what 't5' does, see
 * rare/charsmap.js.
 * `lstrip_ids`, `rstrip_ids`: special tokens that swallow the ASCII white space before and after them.
 * `end_ids`: tokens that end a generation, ascending.
 *
 * @typedef {object} Vocabulary
 * @property {typeof MODELS[number]} model
 * @property {string} pre
 * @property {Tokens} tokens
 * @property {Float32Array | null} scores
 * @property {Uint8Array} types
 * @property {{ lefts: Uint32Array, rights: Uint32Array, results: Uint32Array }} merges
 * @property {number | null} bos
 * @property {number | null} eos
 * @property {number | null} eot
 * @property {number | null} eom
 * @property {number | null} unk
 * @property {number | null} pad
 * @property {number | null} sep
 * @property {boolean} add_bos
 * @property {boolean} add_eos
 * @property {boolean} add_space_prefix
 * @property {boolean} whole_words
 * @property {boolean} byte_level
 * @property {boolean} whole_line_feeds
 * @property {boolean} merge_spaces
 * @property {boolean} lowercase
 * @property {boolean} strip_accents
 * @property {string[]} patterns
 * @property {Uint8Array} charsmap
 * @property {number[]} lstrip_ids
 * @property {number[]} rstrip_ids
 * @property {number[]} end_ids
 * @property {string | null} chat_template
 */

/** Token texts, joined; `offsets[id]` is where one begins, `offsets[length]` where the last ends. */
export class Tokens {
  /**
   * @param {Uint8Array} bytes
   * @param {Uint32Array} offsets
   */
  constructor(bytes, offsets) {
    this.bytes = bytes;
    this.offsets = offsets;
    this.length = offsets.length - 1;
  }

  /**
   * The text of one token, a view.
   * @param {number} id
   */
  at(id) {
    return this.bytes.subarray(this.offsets[id], this.offsets[id + 1]);
  }
}

/**
 * @param {ArrayBuffer} buffer The file; the vocabulary keeps views of it.
 * @returns {Vocabulary}
 * @throws {MdstError} 'format': the buffer is no such file
 */
export function expandVocabulary(buffer) {
  if (buffer.byteLength < HEADER_BYTES) throw malformed('ends too early');
  const [magic, version, model, flags] = new Uint32Array(buffer, 0, 4);
  const special = [...new Int32Array(buffer, 16, 7)].map((id) => id === -1 ? null : id);
  const [nTokens, nMerges, nEnds, nLstrip, nRstrip, nPatterns, ...sizes] = new Uint32Array(
    buffer,
    44,
    10,
  );
  const [tokenBytes, preBytes, templateBytes, charsmapBytes] = sizes;
  if (magic !== MAGIC || version !== VERSION) throw malformed('is not one of this version');
  if (model >= MODELS.length || flags > ALL_FLAGS) throw malformed('has an unknown model or flag');
  const has = (/** @type {number} */ flag) => (flags & flag) !== 0;
  const sections = new Sections(buffer, HEADER_BYTES);
  const merges = {
    lefts: sections.u32(nMerges),
    rights: sections.u32(nMerges),
    results: sections.u32(nMerges),
  };
  const endIds = sections.u32(nEnds);
  const lstripIds = sections.u32(nLstrip);
  const rstripIds = sections.u32(nRstrip);
  const patternLengths = sections.u32(nPatterns);
  const scores = has(16) ? sections.f32(nTokens) : null;
  const offsets = ends(sections.u16(nTokens));
  const types = sections.u8(nTokens);
  if (offsets[nTokens] !== tokenBytes) throw malformed('has token lengths that do not add up');
  const tokens = new Tokens(sections.u8(tokenBytes), offsets);
  const pre = sections.text(preBytes);
  const patterns = Array.from(patternLengths, (length) => sections.text(length));
  const template = sections.text(templateBytes);
  const charsmap = sections.u8(charsmapBytes);
  sections.end();
  const lists = [...Object.values(merges), endIds, lstripIds, rstripIds];
  for (const ids of lists) checkIds(ids, nTokens);
  checkIds(special.filter((id) => id !== null), nTokens);
  if (!types.every((type) => type >= TYPES.NORMAL && type <= TYPES.BYTE)) {
    throw malformed('has an unknown token type');
  }
  const [bos, eos, eot, eom, unk, pad, sep] = special;
  return {
    model: MODELS[model],
    pre,
    tokens,
    scores,
    types,
    merges,
    bos,
    eos,
    eot,
    eom,
    unk,
    pad,
    sep,
    add_bos: has(1),
    add_eos: has(2),
    add_space_prefix: has(4),
    whole_words: has(8),
    byte_level: has(64),
    whole_line_feeds: has(128),
    merge_spaces: has(256),
    lowercase: has(512),
    strip_accents: has(1024),
    patterns,
    charsmap,
    lstrip_ids: [...lstripIds],
    rstrip_ids: [...rstripIds],
    end_ids: [...endIds],
    chat_template: has(32) ? template : null,
  };
}

/** Reads sections in order; never past the end. */
class Sections {
  #buffer;
  #at;

  /**
   * @param {ArrayBuffer} buffer
   * @param {number} at
   */
  constructor(buffer, at) {
    this.#buffer = buffer;
    this.#at = at;
  }

  /** @param {number} count */
  u32(count) {
    return new Uint32Array(this.#buffer, this.#take(4 * count), count);
  }

  /** @param {number} count */
  f32(count) {
    return new Float32Array(this.#buffer, this.#take(4 * count), count);
  }

  /** @param {number} count */
  u16(count) {
    return new Uint16Array(this.#buffer, this.#take(2 * count), count);
  }

  /** @param {number} count */
  u8(count) {
    return new Uint8Array(this.#buffer, this.#take(count), count);
  }

  /** @param {number} length in bytes */
  text(length) {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.u8(length));
    } catch (error) {
      throw error instanceof MdstError ? error : malformed('holds text that is not UTF-8');
    }
  }

  end() {
    const left = this.#buffer.byteLength - this.#at;
    if (left > 0) throw malformed(`has ${left} bytes too many`);
  }

  /** @param {number} length in bytes */
  #take(length) {
    const start = this.#at;
    if (length > this.#buffer.byteLength - start) throw malformed('ends too early');
    this.#at += length;
    return start;
  }
}

/**
 * Lengths → where each begins and the last ends. No text is empty: it would be found everywhere.
 * @param {Uint16Array} lengths
 */
function ends(lengths) {
  const offsets = new Uint32Array(lengths.length + 1);
  for (let i = 0; i < lengths.length; i++) {
    if (lengths[i] === 0) throw malformed('has a token without text');
    offsets[i + 1] = offsets[i] + lengths[i];
  }
  return offsets;
}

/**
 * @param {Uint32Array | number[]} ids
 * @param {number} nTokens
 */
function checkIds(ids, nTokens) {
  for (let i = 0; i < ids.length; i++) {
    if (!(ids[i] >= 0 && ids[i] < nTokens)) throw malformed('names an id that no token has');
  }
}

/** @param {string} what */
function malformed(what) {
  return new MdstError('format', `the vocabulary file ${what}`);
}
