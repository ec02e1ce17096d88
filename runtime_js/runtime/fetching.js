/**
 * Files of a bundle, fetched with retries; weight files are checked against their SHA-256.
 *
 * @import { Shard } from './manifest.d.ts'
 */

import { MdstError, throwIfAborted } from './errors.js';

const TRIES = 4;
const FIRST_PAUSE = 500; // milliseconds; doubles from try to try
const SILENCE = 30_000; // milliseconds without a byte until a try counts as failed

/**
 * The bytes of a small file, as the server has it now.
 *
 * @param {URL} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<ArrayBuffer>}
 * @throws {MdstError} 'download_failed', 'aborted'
 */
export async function fetchFile(url, signal) {
  const parts = await retried(url, signal, (own) => receive(url, 'no-cache', own, undefined));
  return parts.buffer;
}

/**
 * A weight file that is what its name says. One that is not is fetched again past all caches, once.
 *
 * @param {URL} folder
 * @param {Shard} shard
 * @param {AbortSignal} signal
 * @param {(bytes: number) => void} onBytes told of every piece; negative when a try was in vain
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 * @throws {MdstError} 'download_failed', 'integrity', 'aborted'
 */
export async function fetchShard(folder, shard, signal, onBytes) {
  const url = new URL(`${shard.sha256}.bin`, folder);
  let reason = '';
  for (const cache of /** @type {RequestCache[]} */ (['default', 'reload'])) {
    let counted = 0;
    /** @param {number} bytes */
    const count = (bytes) => {
      counted += bytes;
      onBytes(bytes);
    };
    const bytes = await retried(url, signal, (own) => {
      count(-counted);
      return receive(url, cache, own, { size: shard.size, onBytes: count });
    });
    const problem = await mismatch(bytes, shard);
    if (problem === null) return bytes;
    reason = problem;
    count(-counted);
  }
  throw new MdstError(
    'integrity',
    `weights/${shard.sha256}.bin is not what was compiled: ${reason}`,
  );
}

/** @param {Uint8Array<ArrayBuffer>} bytes @param {Shard} shard */
async function mismatch(bytes, shard) {
  if (bytes.length === shard.size) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return hex === shard.sha256 ? null : 'its content does not match its name';
  }
  const html = /^\s*<(!doctype|html)/i.test(new TextDecoder().decode(bytes.subarray(0, 64)));
  return html
    ? 'the server sent an HTML page in its place'
    : `${bytes.length} bytes or more arrived, ${shard.size} were expected`;
}

/**
 * @template T
 * @param {URL} url
 * @param {AbortSignal | undefined} signal
 * @param {(signal: AbortSignal) => Promise<T>} attempt
 * @returns {Promise<T>}
 */
async function retried(url, signal, attempt) {
  let pause = FIRST_PAUSE;
  for (let tries = 1;; tries += 1) {
    throwIfAborted(signal);
    const own = new AbortController();
    const stop = () => own.abort();
    signal?.addEventListener('abort', stop);
    try {
      return await attempt(own.signal);
    } catch (error) {
      throwIfAborted(signal);
      if (tries === TRIES) {
        const reason = error instanceof Error ? error.message : String(error);
        const message = `${nameOf(url)} could not be fetched: ${reason}`;
        throw new MdstError('download_failed', message, { cause: error });
      }
    } finally {
      own.abort(); // what is left of a failed try
      signal?.removeEventListener('abort', stop);
    }
    await sleep(pause, signal);
    pause *= 2;
  }
}

/**
 * One try. With a size no more than that is kept, and one byte more tells that there was too much.
 *
 * @param {URL} url
 * @param {RequestCache} cache
 * @param {AbortSignal} signal
 * @param {{ size: number, onBytes: (bytes: number) => void } | undefined} sized
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
async function receive(url, cache, signal, sized) {
  const response = await withinSilence(fetch(url, { cache, signal }));
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  if (sized === undefined || response.body === null) {
    return new Uint8Array(await withinSilence(response.arrayBuffer()));
  }
  const bytes = new Uint8Array(sized.size);
  let length = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await withinSilence(reader.read());
    if (done) return length === bytes.length ? bytes : bytes.slice(0, length);
    if (length + value.length > bytes.length) return concatenated(bytes.subarray(0, length), value);
    bytes.set(value, length);
    length += value.length;
    sized.onBytes(value.length);
  }
}

/** @param {Uint8Array} first @param {Uint8Array} second */
function concatenated(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** @template T @param {Promise<T>} promise @returns {Promise<T>} */
async function withinSilence(promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const silence = new Promise((_, reject) => {
    const say = () => reject(new Error(`nothing arrived for ${SILENCE / 1000} seconds`));
    timer = setTimeout(say, SILENCE);
  });
  try {
    return /** @type {T} */ (await Promise.race([promise, silence]));
  } finally {
    clearTimeout(timer);
  }
}

/** @param {number} milliseconds @param {AbortSignal} [signal] @returns {Promise<void>} */
export function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end);
  });
}

/** @param {URL} url the last two parts of its path, or one */
function nameOf(url) {
  const parts = url.pathname.split('/');
  return parts.slice(url.pathname.endsWith('.bin') ? -2 : -1).join('/');
}
