/**
 * What a browser keeps of the models of an origin.
 *
 *     mdst/files/SHA256    a weight file, or a small file; what is in it must be checked
 *     mdst/models/SHA256   by the hash of a bundle's URL: a line with the hash of the rest, a line
 *                          with the names of its files, its manifest; rewritten in every load, so
 *                          its time is that of the last use
 *
 * A file is kept as long as a model names it. When the disk is full, the model that was not used
 * for the longest time goes.
 *
 * @import { Manifest } from '../manifest.d.ts'
 * @import { Bytes } from '../fetching.js'
 */

import { sha256 } from '../digest.js';
import { Folder } from './folder.js';
import { ifUnused } from './locks.js';

const encoder = new TextEncoder();

/** @param {string} text */
const hashOf = (text) => sha256(encoder.encode(text));

export class Store {
  /**
   * @param {string} key of the model that is loaded
   * @param {{ files: Folder, models: Folder } | null} folders null: nothing is kept
   * @param {string | null} notice why
   */
  constructor(key, folders, notice = null) {
    this.key = key;
    this.folders = folders;
    /** Whether new files are kept. */
    this.keeps = folders !== null;
    this.notice = notice;
  }

  /**
   * @param {URL} base of a bundle
   * @param {boolean} wanted false: nothing is read or kept
   * @returns {Promise<Store>} one that keeps nothing where the browser refuses
   */
  static async open(base, wanted) {
    if (!wanted) return new Store('', null);
    try {
      const key = await hashOf(base.href);
      const folders = { files: await Folder.open('files'), models: await Folder.open('models') };
      return new Store(key, folders);
    } catch (error) {
      return new Store('', null, `this browser keeps no files for this page (${wordsOf(error)})`);
    }
  }

  /** @returns {Promise<Set<string>>} hashes of what seems to be there */
  async present() {
    return new Set(await this.folders?.files.names().catch(() => []));
  }

  /**
   * @param {string} hash
   * @param {Bytes} into
   * @returns {Promise<boolean | null>} true if it is filled with the file's content; null if there
   *   is no such file, false if it was damaged, which is gone then
   */
  async read(hash, into) {
    if (this.folders === null) return null;
    try {
      const found = await this.folders.files.read(hash, into);
      if (found === null || found && await sha256(into) === hash) return found;
      await this.folders.files.remove(hash);
      return false;
    } catch {
      return false; // as damaged as can be
    }
  }

  /** @param {string} hash @param {Bytes} bytes that have this hash */
  async keep(hash, bytes) {
    await this.writing('files', hash, bytes);
  }

  /**
   * @param {string} manifest text
   * @param {string[]} hashes of its files, which from now on are not cleared away
   */
  async remember(manifest, hashes) {
    const rest = `${hashes.join(' ')}\n${manifest}`;
    await this.writing('models', this.key, encoder.encode(`${await hashOf(rest)}\n${rest}`));
  }

  /** @returns {Promise<string | null>} the manifest that was remembered last */
  async recall() {
    const record = this.folders &&
      await readRecord(this.folders.models, this.key).catch(() => null);
    return record && record.manifest;
  }

  /** @param {'files' | 'models'} folder @param {string} name @param {Bytes} bytes */
  async writing(folder, name, bytes) {
    while (this.keeps && this.folders !== null) {
      try {
        return await this.folders[folder].write(name, bytes);
      } catch (error) {
        const { name: reason } = /** @type {Error} */ (error);
        if (reason === 'NoModificationAllowedError') return; // another tab writes the same
        await this.folders[folder].remove(name).catch(() => {}); // torn, and not what makes room
        const full = reason === 'QuotaExceededError';
        if (full && await this.makeRoom(this.folders).catch(() => false)) continue;
        this.keeps = false;
        this.notice = full
          ? 'there is no room to keep the whole model for the next visit'
          : `the model is not kept for the next visit (${wordsOf(error)})`;
      }
    }
  }

  /**
   * Removes files that no model names; if there are none, the model used least recently.
   *
   * @param {{ files: Folder, models: Folder }} folders
   * @returns {Promise<boolean>} whether anything went
   */
  async makeRoom({ files, models }) {
    if (await clearAway(files, models)) return true;
    const oldest = await leastRecent(models, this.key);
    if (oldest === null) return false;
    await models.remove(oldest);
    await clearAway(files, models);
    return true;
  }

  /** Removes what no model needs any more, unless a load is under way somewhere. */
  async tidy() {
    const { folders } = this;
    if (folders === null) return;
    await ifUnused(async () => {
      await clearAway(folders.files, folders.models);
    }).catch(() => {}); // the next load tries again
  }
}

/** @param {Manifest} manifest @returns {string[]} hashes of all its files */
export function hashesOf({ files, wasm, wasm_cuts, weights }) {
  const parts = wasm_cuts.flatMap((cut) => cut.parts);
  const shards = weights.flatMap((set) => set.shards);
  return [...files, ...wasm, ...parts, ...shards].map((file) => file.sha256);
}

/**
 * @param {Folder} models
 * @param {string} key
 * @returns {Promise<{ hashes: string[], manifest: string } | null>} null if missing or damaged
 */
async function readRecord(models, key) {
  const [hash, hashes, ...manifest] = (await models.text(key) ?? '').split('\n');
  const record = { hashes: hashes?.split(' ') ?? [], manifest: manifest.join('\n') };
  return await hashOf(`${hashes}\n${record.manifest}`) === hash ? record : null;
}

/** @param {Folder} files @param {Folder} models @returns {Promise<boolean>} whether anything went */
async function clearAway(files, models) {
  /** @type {Set<string>} */
  const needed = new Set();
  for (const key of await models.names()) {
    const record = await readRecord(models, key);
    if (record === null) await models.remove(key);
    else for (const hash of record.hashes) needed.add(hash);
  }
  let any = false;
  for (const hash of await files.names()) {
    if (needed.has(hash)) continue;
    await files.remove(hash).then(() => any = true, () => {}); // that one is being read
  }
  return any;
}

/** @param {Folder} models @param {string} but @returns {Promise<string | null>} */
async function leastRecent(models, but) {
  /** @type {{ key: string | null, time: number }} */
  let oldest = { key: null, time: Infinity };
  for (const key of await models.names()) {
    const time = key === but ? Infinity : await models.time(key);
    if (time < oldest.time) oldest = { key, time };
  }
  return oldest.key;
}

/** @param {unknown} error */
function wordsOf(error) {
  return error instanceof Error ? error.message || error.name : String(error);
}
