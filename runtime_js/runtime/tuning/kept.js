/**
 * What was found out about a device and a build, kept in IndexedDB. Where that fails nothing is
 * known, and it is found out again.
 *
 * @import { Tuning, Refusal } from '../../mdst.d.ts'
 */

import { sha256 } from '../digest.js';
import { sleep } from '../fetching.js';

const DATABASE = 'mdst tuning';
const STORE = 'tuning';
const MOST = 64; // devices and builds that are kept
const PATIENCE = 1000; // milliseconds; some browsers' databases never open

/** @typedef {{ tuning: Tuning, refused: Refusal[], begun: number }} Found `begun`: times that it was
 *   begun to find out and not ended; the tuning is the plain one then */

/**
 * @param {GPUAdapter} adapter
 * @param {string} manifest text
 * @returns {Promise<string>}
 */
export async function keyOf({ info }, manifest) {
  const { vendor, architecture, device, description } = info;
  const parts = [vendor, architecture, device, description, navigator.userAgent, manifest];
  return await sha256(new TextEncoder().encode(JSON.stringify(parts)));
}

/** @param {string} key @returns {Promise<Found | null>} */
export async function recall(key) {
  const found = await quietly('readonly', (store) => store.get(key));
  const whole = Array.isArray(found?.tuning?.programs) && Array.isArray(found.refused);
  return whole ? found : null;
}

/** @param {string} key @param {Found} found */
export async function keep(key, found) {
  if (await quietly('readonly', (store) => store.count()) >= MOST) {
    await quietly('readwrite', (store) => store.clear());
  }
  await quietly('readwrite', (store) => store.put(found, key));
}

export async function forgetAll() {
  await quietly('readwrite', (store) => store.clear());
}

/**
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} work
 * @returns {Promise<any>} null when it fails
 */
async function quietly(mode, work) {
  const late = new AbortController();
  const result = inStore(mode, work).catch(() => null);
  try {
    return await Promise.race([result, sleep(PATIENCE, late.signal).then(() => null, () => null)]);
  } finally {
    late.abort();
  }
}

/** @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest} work */
async function inStore(mode, work) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await done(opening);
  try {
    return await done(work(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
