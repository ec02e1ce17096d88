/**
 * Pairs of ids → ranks of merges, best 0.
 *
 * An open-addressed hash table (linear probing) of ranks over the two columns of the file: 280,147
 * pairs take about 7 ms where a Map of numbers took 29.
 */

/** @typedef {import('./compact.js').Vocabulary['merges']} Merges */

const FREE = -1;

export class MergeMap {
  #merges;
  #slots;
  #mask;

  /** @param {Merges} merges Of equal pairs the first keeps its rank. */
  constructor(merges) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(1, 2 * merges.lefts.length)));
    this.#merges = merges;
    this.#slots = new Int32Array(size).fill(FREE);
    this.#mask = size - 1;
    for (let rank = 0; rank < merges.lefts.length; rank++) {
      const slot = this.#slot(merges.lefts[rank], merges.rights[rank]);
      if (this.#slots[slot] === FREE) this.#slots[slot] = rank;
    }
  }

  /**
   * The rank of a pair, −1 when nothing joins it.
   * @param {number} left
   * @param {number} right
   */
  rank(left, right) {
    return this.#slots[this.#slot(left, right)];
  }

  /**
   * The id that the pair of a rank becomes.
   * @param {number} rank
   */
  result(rank) {
    return this.#merges.results[rank];
  }

  /**
   * Where the pair is, or the free slot where it would be.
   * @param {number} left
   * @param {number} right
   * @returns {number}
   */
  #slot(left, right) {
    const { lefts, rights } = this.#merges;
    let slot = hash(left, right) & this.#mask;
    while (this.#slots[slot] !== FREE) {
      const rank = this.#slots[slot];
      if (lefts[rank] === left && rights[rank] === right) break;
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }
}

/**
 * Two odd factors spread the ids, as in Knuth's multiplicative hashing; the shift brings the well
 * mixed high bits down.
 * @param {number} left
 * @param {number} right
 */
function hash(left, right) {
  const value = Math.imul(left, 0x9e3779b1) ^ Math.imul(right + 1, 0x85ebca77);
  return value ^ (value >>> 15);
}
