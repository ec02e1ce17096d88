/**
 * Files in a folder of the origin private file system.
 *
 * Workers read and write them through synchronous handles, which is 5 to 10 times as fast as the
 * streams that are left to other threads, and as the Cache API anywhere.
 *
 * @import { Bytes } from '../fetching.js'
 */

import { sleep } from '../fetching.js';

/** Where everything of ours lies. */
const ROOT = 'mdst';

const REMOVALS = 20; // tries
const PAUSE = 100; // milliseconds between them

export class Folder {
  /** @param {FileSystemDirectoryHandle} handle */
  constructor(handle) {
    this.handle = handle;
  }

  /**
   * @param {string} name
   * @returns {Promise<Folder>}
   * @throws {Error} where the browser keeps no files for pages, or not now
   */
  static async open(name) {
    const origin = await navigator.storage.getDirectory();
    const root = await origin.getDirectoryHandle(ROOT, { create: true });
    return new Folder(await root.getDirectoryHandle(name, { create: true }));
  }

  /** Removes all folders. @throws {Error} when a file stays in use */
  static async removeAll() {
    const origin = await navigator.storage?.getDirectory?.().catch(() => null); // so nothing is there
    for (let tries = 1; origin; tries += 1) {
      try {
        await origin.removeEntry(ROOT, { recursive: true }).catch(unlessMissing);
        return;
      } catch (error) { // files are in use for moments only
        if (tries === REMOVALS) throw error;
        await sleep(PAUSE);
      }
    }
  }

  /** @returns {Promise<string[]>} */
  async names() {
    const names = [];
    for await (const name of /** @type {any} */ (this.handle).keys()) names.push(name);
    return names;
  }

  /** @param {string} name @returns {Promise<number>} when it was written last */
  async time(name) {
    return (await (await this.handle.getFileHandle(name)).getFile()).lastModified;
  }

  /** @param {string} name @returns {Promise<string | null>} null if there is none */
  async text(name) {
    try {
      return await (await (await this.handle.getFileHandle(name)).getFile()).text();
    } catch (error) {
      return unlessMissing(error);
    }
  }

  /**
   * @param {string} name
   * @param {Bytes} into is filled
   * @returns {Promise<boolean | null>} null if there is no such file, false if it has another size
   */
  async read(name, into) {
    try {
      const handle = await this.handle.getFileHandle(name);
      const access = await openSync(handle, 'read-only');
      if (access === null) return await readSlowly(handle, into);
      try {
        return access.getSize() === into.length && access.read(into, { at: 0 }) === into.length;
      } finally {
        access.close();
      }
    } catch (error) {
      return unlessMissing(error);
    }
  }

  /**
   * Makes or replaces a file. If that fails midway the file is torn: what is read must be checked.
   *
   * @param {string} name
   * @param {Bytes} bytes
   * @throws {Error} such as a QuotaExceededError
   */
  async write(name, bytes) {
    const handle = await this.handle.getFileHandle(name, { create: true });
    const access = await openSync(handle, 'readwrite');
    if (access === null) return await writeSlowly(handle, bytes);
    try {
      access.truncate(0);
      if (access.write(bytes, { at: 0 }) < bytes.length) {
        throw new DOMException('the disk is full', 'QuotaExceededError');
      }
    } finally {
      access.close();
    }
  }

  /** @param {string} name */
  async remove(name) {
    await this.handle.removeEntry(name).catch(unlessMissing);
  }
}

/** @param {unknown} error @returns {null} @throws {unknown} any other error */
function unlessMissing(error) {
  if (/** @type {any} */ (error)?.name === 'NotFoundError') return null;
  throw error;
}

/**
 * @param {any} handle
 * @param {'read-only' | 'readwrite'} mode
 * @returns {Promise<any>} null outside of workers, and for reading while another tab writes
 */
async function openSync(handle, mode) {
  if (!('createSyncAccessHandle' in handle)) return null;
  try {
    return await handle.createSyncAccessHandle({ mode });
  } catch (error) {
    const busy = /** @type {any} */ (error)?.name === 'NoModificationAllowedError';
    if (busy && mode === 'read-only') return null;
    throw error;
  }
}

/** @param {FileSystemFileHandle} handle @param {Bytes} into @returns {Promise<boolean>} */
async function readSlowly(handle, into) {
  const file = await handle.getFile();
  if (file.size !== into.length) return false;
  into.set(new Uint8Array(await file.arrayBuffer()));
  return true;
}

/** @param {FileSystemFileHandle} handle @param {Bytes} bytes */
async function writeSlowly(handle, bytes) {
  const writable = await handle.createWritable();
  await writable.write(bytes);
  await writable.close();
}
