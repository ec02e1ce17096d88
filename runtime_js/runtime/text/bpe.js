/**
 * Words → token ids by byte-level BPE ("gpt2"): the best-ranked neighbours join until none can.
 *
 * The twin of compiler/mdst/text/bpe.py. O(n log n) in the length of a word. A byte that the
 * vocabulary has no token for gives nothing (as in llama.cpp).
 */

import { Heap } from './heap.js';
import { MergeMap } from './merge_map.js';
import { Pretokenizer } from './pretokenize.js';

/**
 * @import { Vocabulary } from './compact.js'
 * @import { TokenMap } from './token_map.js'
 */

const JOINED = -1;
// A byte without a token: it stays in the chain, so its neighbours do not join across it.
const NONE = -2;

const UTF8 = new TextEncoder();

/** GPT-2's printable stand-in for each byte (openai/gpt-2, encoder.py, bytes_to_unicode). */
const STAND_INS = standIns();
const SPELLINGS = Array.from(STAND_INS, (code) => UTF8.encode(String.fromCharCode(code)));
/** Code point → byte, for the code points of STAND_INS. */
const BYTES = new Map(Array.from(STAND_INS, (code, byte) => [code, byte]));

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
 * What a token text stands for. A text outside the alphabet (an added token) is itself.
 * @param {Uint8Array} text
 * @returns {Uint8Array}
 */
export function tokenBytes(text) {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length;) {
    // The alphabet ends at U+0143, so two bytes of UTF-8 are enough.
    const wide = text[i] >= 0xc2 && text[i] < 0xe0 && (text[i + 1] & 0xc0) === 0x80;
    const code = wide ? ((text[i] & 0x1f) << 6) | (text[i + 1] & 0x3f) : text[i];
    const byte = wide || code < 0x80 ? BYTES.get(code) : undefined;
    if (byte === undefined) return text;
    bytes[length++] = byte;
    i += wide ? 2 : 1;
  }
  return bytes.subarray(0, length);
}

/** Encodes text that holds no special tokens. */
export class ByteLevelBpe {
  #pretokenizer;
  #merges;
  #ids;
  #byteIds;
  #wholeWords;

  /**
   * @param {Vocabulary} vocabulary
   * @param {TokenMap} ids of its tokens
   */
  constructor(vocabulary, ids) {
    this.#pretokenizer = new Pretokenizer(vocabulary.patterns);
    this.#merges = new MergeMap(vocabulary.merges);
    this.#ids = ids;
    this.#wholeWords = vocabulary.whole_words;
    this.#byteIds = Int32Array.from(SPELLINGS, (spelling) => {
      const id = ids.find(spelling);
      return id < 0 ? NONE : id;
    });
  }

  /**
   * @param {string} text well-formed
   * @param {number[]} ids where the ids of `text` go
   */
  append(text, ids) {
    /** @type {Map<string, ArrayLike<number>>} */
    const known = new Map();
    for (const word of this.#pretokenizer.split(text)) {
      let found = known.get(word);
      if (found === undefined) {
        found = this.#encodeWord(UTF8.encode(word));
        known.set(word, found);
      }
      for (let i = 0; i < found.length; i++) ids.push(found[i]);
    }
  }

  /**
   * @param {Uint8Array} word
   * @returns {ArrayLike<number>}
   */
  #encodeWord(word) {
    if (this.#wholeWords) {
      const id = this.#ids.find(spelled(word));
      if (id >= 0) return [id];
    }
    const ids = new Int32Array(word.length);
    for (let i = 0; i < word.length; i++) ids[i] = this.#byteIds[word[i]];
    this.#merge(ids);
    return ids.filter((id) => id >= 0);
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
