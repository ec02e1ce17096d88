/**
 * Token texts → ids, without a string or an object per token.
 *
 * An open-addressed hash table (FNV-1a, linear probing) of ids over the bytes of the vocabulary:
 * 262,144 tokens take 2 MB beside the file, and about 10 ms where a Map of strings took 110.
 */

/** @import { Tokens } from './compact.js' */

const FREE = -1;
const SEED = 0x811c9dc5;

export class TokenMap {
  #tokens;
  #slots;
  #mask;

  /** @param {Tokens} tokens Of equal texts the last id counts. */
  constructor(tokens) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(1, 2 * tokens.length)));
    this.#tokens = tokens;
    this.#slots = new Int32Array(size).fill(FREE);
    this.#mask = size - 1;
    /** Bytes of the longest token. */
    this.longest = 0;
    const { bytes, offsets } = tokens;
    for (let id = 0; id < tokens.length; id++) {
      this
        .#slots[
          this.#slot(hash(bytes, offsets[id], offsets[id + 1]), bytes, offsets[id], offsets[id + 1])
        ] = id;
      this.longest = Math.max(this.longest, offsets[id + 1] - offsets[id]);
    }
  }

  /**
   * The id of the token whose text is `bytes[start..end)`, or −1.
   * @param {Uint8Array} bytes
   * @param {number} [start]
   * @param {number} [end]
   */
  find(bytes, start = 0, end = bytes.length) {
    return this.#slots[this.#slot(hash(bytes, start, end), bytes, start, end)];
  }

  /**
   * Calls `visit` with each token that `bytes` has at `start` and where it ends, the shortest first.
   * @param {Uint8Array} bytes
   * @param {number} start
   * @param {(id: number, end: number) => void} visit
   */
  prefixes(bytes, start, visit) {
    const last = Math.min(bytes.length, start + this.longest);
    let value = SEED;
    for (let end = start; end < last;) {
      value = step(value, bytes[end++]);
      const id = this.#slots[this.#slot(value, bytes, start, end)];
      if (id !== FREE) visit(id, end);
    }
  }

  /**
   * Where the text is, or the free slot where it would be.
   * @param {number} value its hash
   * @param {Uint8Array} bytes
   * @param {number} start
   * @param {number} end
   */
  #slot(value, bytes, start, end) {
    // The low bits of a product know nothing of the high ones.
    let slot = (value ^ (value >>> 15)) & this.#mask;
    while (this.#slots[slot] !== FREE && !this.#equals(this.#slots[slot], bytes, start, end)) {
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }

  /**
   * @param {number} id
   * @param {Uint8Array} bytes
   * @param {number} start
   * @param {number} end
   */
  #equals(id, bytes, start, end) {
    const { bytes: texts, offsets } = this.#tokens;
    const offset = offsets[id];
    if (offsets[id + 1] - offset !== end - start) return false;
    for (let i = start, j = offset; i < end; i++, j++) {
      if (bytes[i] !== texts[j]) return false;
    }
    return true;
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} end
 */
function hash(bytes, start, end) {
  let value = SEED;
  for (let i = start; i < end; i++) value = step(value, bytes[i]);
  return value;
}

/**
 * @param {number} value
 * @param {number} byte
 */
function step(value, byte) {
  return Math.imul(value ^ byte, 0x01000193);
}
