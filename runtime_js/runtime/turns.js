/** One at a time, in the order in which they came. */

export class Turns {
  constructor() {
    this.last = Promise.resolve();
  }

  /**
   * @template T
   * @param {() => Promise<T>} work begins when all work before has ended, well or not
   * @returns {Promise<T>}
   */
  run(work) {
    const mine = this.last.then(work);
    this.last = mine.then(() => {}, () => {});
    return mine;
  }
}
