/**
 * Words → token ids by BPE ("gpt2"): the best-ranked neighbours join until none can.
 *
 * The twin of compiler/mdst/text/bpe.py. O(n log n) in the length of a word. Byte-level vocabularies
 * join bytes; a byte without token gives nothing (as in llama.cpp). Others (Gemma 4) join characters;
 * one that is part of no token becomes its bytes, as tokens `<0xXX>`.
 */

import { byteTokens, characterSize, SPACE, UTF8 } from './characters.js';
import { Heap } from './heap.js';
import { MergeMap } from './merge_map.js';
import { Pretokenizer } from './pretokenize.js';

/**
 * @import { Vocabulary } from './compact.js'
 * @import { TokenMap } from './token_map.js'
 */

const JOINED = -1;
// A character without token: it stays in the chain, so its neighbours do not join across it. Where it
// begins in the word is counted down from here.
const NONE = -2;

/** GPT-2's printable stand-in for each byte (openai/gpt-2, encoder.py, bytes_to_unicode). */
const STAND_INS = standIns();
const SPELLINGS = Array.from(STAND_INS, (code) => UTF8.encode(String.fromCharCode(code)));
/** Code point → byte, −1 for those that stand in for none. */
const BYTES = new Int16Array(0x800).fill(-1);
STAND_INS.forEach((code, byte) => BYTES[code] = byte);

function standIns() {
  const codes = new Uint16Array(256);
  let other = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = byte >= 0x21 && byte !== 0xad && (byte < 0x7f || byte >= 0xa1);
    codes[byte] = printable ? byte : other++;
  }
  return codes;
}

/**
 * Writes what the token text `texts[start..end)` stands for. One outside the alphabet (an added
 * token) is itself.
 * @param {Uint8Array} texts
 * @param {number} start
 * @param {number} end
 * @param {Uint8Array} out
 * @param {number} at where
 * @returns {number} where it ends
 */
export function writeBytes(texts, start, end, out, at) {
  let next = at;
  for (let i = start; i < end;) {
    // The alphabet ends at U+0143, so two bytes of UTF-8 are enough.
    const wide = i + 1 < end && texts[i] >= 0xc2 && texts[i] < 0xe0 &&
      (texts[i + 1] & 0xc0) === 0x80;
    const code = wide ? ((texts[i] & 0x1f) << 6) | (texts[i + 1] & 0x3f) : texts[i];
    const byte = wide || code < 0x80 ? BYTES[code] : -1;
    if (byte < 0) {
      out.set(texts.subarray(start, end), at);
      return at + end - start;
    }
    out[next++] = byte;
    i += wide ? 2 : 1;
  }
  return next;
}

/** Encodes text that holds no special tokens. */
export class Bpe {
  #pretokenizer;
  #merges;
  #ids;
  #vocabulary;
  /** Byte-level: the token of each byte. Else: the tokens `<0xXX>`. −1 where there is none. */
  #byteIds;

  /**
   * @param {Vocabulary} vocabulary
   * @param {TokenMap} ids of its tokens
   */
  constructor(vocabulary, ids) {
    this.#pretokenizer = new Pretokenizer(vocabulary.patterns);
    this.#merges = new MergeMap(vocabulary.merges);
    this.#ids = ids;
    this.#vocabulary = vocabulary;
    this.#byteIds = vocabulary.byte_level
      ? Int32Array.from(SPELLINGS, (spelling) => ids.find(spelling))
      : byteTokens(ids);
  }

  /**
   * @param {string} text well-formed
   * @param {number[]} ids where the ids of `text` go
   */
  append(text, ids) {
    /** @type {Map<string, ArrayLike<number>>} */
    const known = new Map();
    if (!this.#vocabulary.byte_level) text = text.replaceAll(' ', SPACE);
    for (const word of this.#pretokenizer.split(text)) {
      let found = known.get(word);
      if (found === undefined) {
        found = this.#encodeWord(word);
        known.set(word, found);
      }
      for (let i = 0; i < found.length; i++) ids.push(found[i]);
    }
  }

  /**
   * @param {string} word
   * @returns {ArrayLike<number>}
   */
  #encodeWord(word) {
    const { byte_level, whole_words, whole_line_feeds } = this.#vocabulary;
    const bytes = UTF8.encode(word);
    if (whole_words || (whole_line_feeds && /^\n+$/.test(word))) {
      const id = this.#ids.find(byte_level ? spelled(bytes) : bytes);
      if (id >= 0) return [id];
    }
    const ids = new Int32Array(bytes.length);
    let count = 0;
    for (let i = 0; i < bytes.length;) {
      const size = byte_level ? 1 : characterSize(bytes[i]);
      const id = byte_level ? this.#byteIds[bytes[i]] : this.#ids.find(bytes, i, i + size);
      ids[count++] = id < 0 ? NONE - i : id;
      i += size;
    }
    this.#merge(ids.subarray(0, count));
    const found = [];
    for (let i = 0; i < count; i++) {
      if (ids[i] >= 0) found.push(ids[i]);
      else if (ids[i] <= NONE && !byte_level) this.#spell(bytes, NONE - ids[i], found);
    }
    return found;
  }

  /**
   * The bytes of a character without token, those that are tokens.
   * @param {Uint8Array} bytes
   * @param {number} start
   * @param {number[]} ids where they go
   */
  #spell(bytes, start, ids) {
    for (let i = start; i < start + characterSize(bytes[start]); i++) {
      const id = this.#byteIds[bytes[i]];
      if (id >= 0) ids.push(id);
    }
  }

  /**
   * Joins in place: a token stays where it began, the places it absorbed become JOINED.
   *
   * The heap holds ranks and places. An entry is stale when the pair at its place now has another
   * rank.
   * @param {Int32Array} ids
   */
  #merge(ids) {
    const n = ids.length;
    const after = new Int32Array(n).map((_, i) => i + 1);
    const before = new Int32Array(n).map((_, i) => i - 1);
    const heap = new Heap();
    for (let left = 0; left < n; left++) this.#offer(ids, after, left, heap);
    while (heap.size > 0) {
      const rank = heap.cost;
      const left = heap.pop();
      const right = after[left];
      if (this.#rank(ids, left, right) !== rank) continue;
      ids[left] = this.#merges.result(rank);
      ids[right] = JOINED;
      after[left] = after[right];
      if (after[left] < n) before[after[left]] = left;
      if (before[left] >= 0) this.#offer(ids, after, before[left], heap);
      this.#offer(ids, after, left, heap);
    }
  }

  /**
   * @param {Int32Array} ids
   * @param {Int32Array} after
   * @param {number} left
   * @param {Heap} heap
   */
  #offer(ids, after, left, heap) {
    const rank = this.#rank(ids, left, after[left]);
    if (rank >= 0) heap.push(rank, left);
  }

  /**
   * −1 where nothing joins.
   * @param {Int32Array} ids
   * @param {number} left
   * @param {number} right
   */
  #rank(ids, left, right) {
    if (right >= ids.length || ids[left] < 0 || ids[right] < 0) return -1;
    return this.#merges.rank(ids[left], ids[right]);
  }
}

/**
 * Bytes → UTF-8 of their stand-ins, as the vocabulary has them.
 * @param {Uint8Array} word
 */
function spelled(word) {
  const text = new Uint8Array(2 * word.length);
  let length = 0;
  for (const byte of word) {
    text.set(SPELLINGS[byte], length);
    length += SPELLINGS[byte].length;
  }
  return text.subarray(0, length);
}
