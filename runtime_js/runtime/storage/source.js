/**
 * Where the files of a bundle come from: what the browser kept, or else the network, after which it
 * is kept. Either way they are what their hashes say. Where they go is not known here.
 *
 * @import { Bytes } from '../fetching.js'
 * @import { Store } from './store.js'
 */

import { throwIfAborted } from '../errors.js';
import { fetchInto } from '../fetching.js';
import { alone } from './locks.js';

/** @typedef {(bytes: number, cached: boolean) => void} OnBytes negative when a try was in vain */

export class Source {
  /** @param {Store} store @param {AbortSignal} signal */
  constructor(store, signal) {
    this.store = store;
    this.signal = signal;
    /** Damaged files that were fetched again. */
    this.healed = 0;
  }

  /**
   * Fills `into` with a file. Of tabs that want the same file one downloads it.
   *
   * @param {URL} url
   * @param {string} hash SHA-256
   * @param {Bytes} into of the file's size
   * @param {OnBytes} [onBytes]
   * @throws {MdstError} 'download_failed', 'integrity', 'aborted'
   */
  async fill(url, hash, into, onBytes = () => {}) {
    const { store, signal } = this;
    const work = async () => {
      throwIfAborted(signal);
      const found = await store.read(hash, into);
      if (found) return onBytes(into.length, true);
      // What is kept here need not be in the browser's HTTP cache too.
      const cache = store.keeps ? 'no-store' : 'default';
      await fetchInto(url, hash, into, {
        signal,
        cache,
        onBytes: (bytes) => onBytes(bytes, false),
      });
      if (found === false) this.healed += 1;
      await store.keep(hash, into);
    };
    await (store.keeps ? alone(hash, signal, work) : work());
  }
}
