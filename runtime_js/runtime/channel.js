/** Items pushed at one end, an async iterable at the other. */

/** @template T */
export class Channel {
  /** @param {() => Promise<void>} onReturn called when the reader wants no more */
  constructor(onReturn) {
    this.onReturn = onReturn;
    /** @type {T[]} */
    this.items = [];
    /** @type {{ error?: unknown } | null} */
    this.end = null;
    this.wake = () => {};
  }

  /** @param {T} item */
  push(item) {
    this.items.push(item);
    this.wake();
  }

  /** No more items come. @param {{ error?: unknown }} [how] with an error the reader gets it */
  close(how = {}) {
    this.end ??= how;
    this.wake();
  }

  /** @returns {AsyncGenerator<T, void, void>} */
  async *[Symbol.asyncIterator]() {
    let finished = false;
    try {
      for (;;) {
        const item = this.items.shift();
        if (item !== undefined) yield item;
        else if (this.end === null) {
          await new Promise((resolve) => this.wake = () => resolve(undefined));
        } else {
          finished = true;
          if ('error' in this.end) throw this.end.error;
          return;
        }
      }
    } finally {
      if (!finished) await this.onReturn();
    }
  }
}
