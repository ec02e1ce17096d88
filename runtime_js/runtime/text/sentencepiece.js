/**
 * Text → token ids by SentencePiece BPE ("llama"): the neighbours whose union scores best join.
 *
 * The twin of compiler/mdst/text/sentencepiece.py: highest score first, leftmost on ties,
 * O(n log n). Positions and sizes count bytes of UTF-8 here, which orders and joins pieces as
 * characters do. A character that is part of no token becomes its bytes, as tokens `<0xXX>`.
 */

import { byteTokens, characterSize, SPACE, UTF8 } from './characters.js';
import { Heap } from './heap.js';

/**
 * @import { Vocabulary } from './compact.js'
 * @import { TokenMap } from './token_map.js'
 */

const NONE = -1;

/** Encodes text that holds no special tokens. */
export class SentencePieceBpe {
  #ids;
  #scores;
  #byteIds;

  /**
   * @param {Vocabulary} vocabulary
   * @param {TokenMap} ids of its tokens
   */
  constructor(vocabulary, ids) {
    const { tokens, scores, unk } = vocabulary;
    this.#ids = ids;
    this.#scores = scores ?? new Float32Array(tokens.length);
    // The character itself stands in for an ASCII byte, then the unknown token.
    this.#byteIds = byteTokens(ids).map((id, byte) => {
      if (id < 0 && byte < 0x80) id = ids.find(Uint8Array.of(byte));
      return id < 0 ? unk ?? NONE : id;
    });
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
      const id = size <= this.#ids.longest ? this.#ids.find(bytes, left, left + size) : NONE;
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
