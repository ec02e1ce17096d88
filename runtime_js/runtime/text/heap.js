/**
 * A queue of places by cost: the cheapest first, of equal costs the leftmost.
 *
 * Two flat arrays in place of objects: a word of a million bytes has a million entries.
 */
export class Heap {
  /** @type {number[]} */
  #costs = [];
  /** @type {number[]} */
  #places = [];

  get size() {
    return this.#costs.length;
  }

  /** Cost of the entry that `pop` gives next. */
  get cost() {
    return this.#costs[0];
  }

  /**
   * @param {number} cost
   * @param {number} place
   */
  push(cost, place) {
    let at = this.size;
    this.#set(at, cost, place);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(cost, place, parent)) break;
      this.#set(at, this.#costs[parent], this.#places[parent]);
      at = parent;
    }
    this.#set(at, cost, place);
  }

  /**
   * Takes the first entry out; the heap must not be empty.
   * @returns {number} its place
   */
  pop() {
    const first = this.#places[0];
    const cost = /** @type {number} */ (this.#costs.pop());
    const place = /** @type {number} */ (this.#places.pop());
    if (this.size > 0) this.#sink(cost, place);
    return first;
  }

  /**
   * Puts an entry in the place of the first, then where it belongs.
   * @param {number} cost
   * @param {number} place
   */
  #sink(cost, place) {
    const size = this.size;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      const right = child + 1;
      if (right < size && this.#before(this.#costs[right], this.#places[right], child)) {
        child = right;
      }
      if (this.#before(cost, place, child)) break;
      this.#set(at, this.#costs[child], this.#places[child]);
      at = child;
    }
    this.#set(at, cost, place);
  }

  /**
   * @param {number} cost
   * @param {number} place
   * @param {number} other index of an entry
   */
  #before(cost, place, other) {
    const difference = cost - this.#costs[other];
    return difference < 0 || (difference === 0 && place < this.#places[other]);
  }

  /**
   * @param {number} at
   * @param {number} cost
   * @param {number} place
   */
  #set(at, cost, place) {
    this.#costs[at] = cost;
    this.#places[at] = place;
  }
}
