/**
 * Text → token ids by SentencePiece BPE ("llama"): the neighbours whose union scores best join.
 *
 * The twin of compiler/mdst/text/sentencepiece.py: highest score first, leftmost on ties,
 * O(n log n). Positions and sizes count bytes of UTF-8 here, which orders and joins pieces as
 * characters do. A character that is part of no token becomes its bytes, as tokens `<0xXX>`.
 */

import { Heap } from './heap.js';

/**
 * @import { Vocabulary } from './compact.js'
 * @import { TokenMap } from './token_map.js'
 */

const UTF8 = new TextEncoder();
const SPACE = '▁';
const SPACE_BYTES = UTF8.encode(SPACE);
const NONE = -1;

/**
 * What a token text stands for: `▁` is a space.
 * @param {Uint8Array} text
 */
export function pieceBytes(text) {
  const [first, second, third] = SPACE_BYTES;
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const space = text[i] === first && text[i + 1] === second && text[i + 2] === third;
    bytes[length++] = space ? 0x20 : text[i];
    if (space) i += 2;
  }
  return bytes.subarray(0, length);
}

/** Encodes text that holds no special tokens. */
export class SentencePieceBpe {
  #ids;
  #scores;
  #longest;
  #byteIds;

  /**
   * @param {Vocabulary} vocabulary
   * @param {TokenMap} ids of its tokens
   */
  constructor(vocabulary, ids) {
    const { tokens, scores, unk } = vocabulary;
    this.#ids = ids;
    this.#scores = scores ?? new Float32Array(tokens.length);
    this.#longest = 0;
    for (let id = 0; id < tokens.length; id++) {
      this.#longest = Math.max(this.#longest, tokens.offsets[id + 1] - tokens.offsets[id]);
    }
    this.#byteIds = Int32Array.from({ length: 256 }, (_, byte) => byteId(byte, ids, unk ?? NONE));
  }

  /**
   * @param {string} text well-formed
   * @param {number[]} ids where the ids of `text` go
   */
  append(text, ids) {
    const bytes = UTF8.encode(text.replaceAll(' ', SPACE));
    const sizes = this.#pieces(bytes);
    for (let start = 0; start < bytes.length; start += sizes[start]) {
      const end = start + sizes[start];
      const id = this.#ids.find(bytes, start, end);
      if (id >= 0) {
        ids.push(id);
        continue;
      }
      for (let i = start; i < end; i++) {
        const byteId = this.#byteIds[bytes[i]];
        if (byteId !== NONE) ids.push(byteId);
      }
    }
  }

  /**
   * Sizes in bytes: `sizes[i]` of the piece that begins at byte i, 0 inside a piece.
   *
   * `unions[i]` is the token that the piece at i and the next one make, or NONE. The heap holds
   * negated scores and places. An entry is stale when the union at its place now scores otherwise;
   * one of an older union with the same score stands for the newer one, which has the same order.
   * @param {Uint8Array} bytes
   */
  #pieces(bytes) {
    const n = bytes.length;
    const sizes = new Int32Array(n);
    const before = new Int32Array(n);
    const unions = new Int32Array(n).fill(NONE);
    const heap = new Heap();
    const offer = (/** @type {number} */ left) => {
      const right = left + sizes[left];
      const size = right < n ? sizes[left] + sizes[right] : Infinity;
      const id = size <= this.#longest ? this.#ids.find(bytes, left, left + size) : NONE;
      unions[left] = id;
      if (id !== NONE) heap.push(-this.#scores[id], left);
    };
    for (let i = 0, last = NONE; i < n; last = i, i += sizes[i]) {
      sizes[i] = characterSize(bytes[i]);
      before[i] = last;
      if (last !== NONE) offer(last);
    }
    while (heap.size > 0) {
      const cost = heap.cost;
      const left = heap.pop();
      if (unions[left] === NONE || -this.#scores[unions[left]] !== cost) continue;
      const right = left + sizes[left];
      sizes[left] += sizes[right];
      sizes[right] = 0;
      unions[right] = NONE;
      const next = left + sizes[left];
      if (next < n) before[next] = left;
      if (before[left] !== NONE) offer(before[left]);
      offer(left);
    }
    return sizes;
  }
}

/**
 * Length in UTF-8 of the character that begins with a byte.
 * @param {number} first
 */
function characterSize(first) {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

/**
 * `<0xXX>`, or the character itself for ASCII, or the unknown token.
 * @param {number} byte
 * @param {TokenMap} ids
 * @param {number} unknown
 */
function byteId(byte, ids, unknown) {
  const id = ids.find(UTF8.encode(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
  if (id >= 0) return id;
  const ascii = byte < 0x80 ? ids.find(Uint8Array.of(byte)) : -1;
  return ascii >= 0 ? ascii : unknown;
}
