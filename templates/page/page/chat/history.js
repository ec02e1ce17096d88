/**
 * Conversations, kept in this browser's IndexedDB. Where that is forbidden or full they last as long
 * as the page.
 */

import { PLACE } from '../stored.js';

/**
 * `note`: how an answer ended, shown below it.
 *
 * @typedef {{ role: 'user' | 'assistant', content: string, note?: string }} Message
 * @typedef {{ id: string, title: string, updated: number, messages: Message[] }} Conversation
 */

const STORE = 'conversations';

export class History {
  /**
   * @param {() => void} onChange told when another tab changed something
   */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {Map<string, Conversation>} */
    this.all = new Map();
    /** @type {IDBDatabase | null} */
    this.database = null;
    this.tabs = new BroadcastChannel(PLACE);
    this.tabs.onmessage = () => this.read().then(this.onChange);
  }

  /** Whether conversations outlast the page. */
  get lasts() {
    return this.database !== null;
  }

  /** @returns {Conversation[]} the newest first */
  get list() {
    return [...this.all.values()].sort((a, b) => b.updated - a.updated);
  }

  /** Reads what was kept. */
  async open() {
    try {
      const request = indexedDB.open(PLACE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'id' });
      this.database = await done(request);
      this.database.onversionchange = () => this.database?.close();
    } catch {
      return; // private windows of some browsers
    }
    await this.read();
  }

  async read() {
    const found = await this.transact('readonly', (store) => store.getAll());
    if (found) this.all = new Map(found.map((each) => [each.id, each]));
  }

  /** @param {Conversation} conversation */
  async save(conversation) {
    this.all.set(conversation.id, conversation);
    await this.transact('readwrite', (store) => store.put(conversation));
    this.tabs.postMessage(null);
  }

  /** @param {string} id */
  async remove(id) {
    this.all.delete(id);
    await this.transact('readwrite', (store) => store.delete(id));
    this.tabs.postMessage(null);
  }

  /**
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest<T>} work
   * @returns {Promise<T | undefined>} undefined when nothing is kept, now or from here on
   */
  async transact(mode, work) {
    try {
      return this.database === null
        ? undefined
        : await done(work(this.database.transaction(STORE, mode).objectStore(STORE)));
    } catch {
      this.database = null;
    }
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    if (request instanceof IDBOpenDBRequest) request.onblocked = () => reject(new Error('blocked'));
  });
}
