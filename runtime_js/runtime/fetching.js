/**
 * Files over the network, with retries; a file that was cut goes on where it ended.
 *
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 * @typedef {{ signal?: AbortSignal, cache?: RequestCache, onBytes?: (bytes: number) => void }} How
 *   `onBytes` is told of every piece; negative when a try was in vain
 */

import { sha256 } from './digest.js';
import { MdstError, throwIfAborted } from './errors.js';

const TRIES = 4;
const FIRST_PAUSE = 500; // milliseconds; doubles from try to try
const PIECE = 1 << 18; // bytes read at once
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
  return await retried(url, signal, async (own) => {
    const response = await answer(url, { cache: 'no-cache', signal: own });
    return await withinSilence(response.arrayBuffer());
  });
}

/**
 * Fills `into` with the file whose hash is `hash`. One that is something else is fetched again past
 * all caches, once.
 *
 * @param {URL} url
 * @param {string} hash SHA-256
 * @param {Bytes} into of the file's size
 * @param {How} how
 * @throws {MdstError} 'download_failed', 'integrity', 'aborted'
 */
export async function fetchInto(url, hash, into, { signal, cache = 'default', onBytes } = {}) {
  let reason = '';
  for (const mode of /** @type {RequestCache[]} */ ([cache, 'reload'])) {
    const arrival = new Arrival(into, onBytes);
    await retried(url, signal, (own) => receive(url, mode, own, arrival));
    const problem = await arrival.mismatch(hash);
    if (problem === null) return;
    reason = problem;
    arrival.restart();
  }
  const message = `${nameOf(url)} is not what was compiled: ${reason}. ` +
    'Was the site updated? Reload the page.';
  throw new MdstError('integrity', message);
}

/** What arrived of a file, over several tries. */
class Arrival {
  /** @param {Bytes} into @param {(bytes: number) => void} [onBytes] */
  constructor(into, onBytes = () => {}) {
    this.into = into;
    this.onBytes = onBytes;
    this.length = 0; // more than `into` holds if there was more
    /** Whether the server may be asked for the rest alone. */
    this.resumable = false;
  }

  /** The next try begins at the beginning. */
  restart() {
    if (this.length > 0) this.onBytes(-Math.min(this.length, this.into.length));
    this.length = 0;
  }

  /** @param {ReadableStream<Uint8Array>} stream */
  async take(stream) {
    const read = piecesOf(stream);
    while (this.length <= this.into.length) {
      const value = await withinSilence(read());
      if (value === null) return;
      const piece = value.subarray(0, this.into.length - this.length);
      this.into.set(piece, this.length);
      this.length += value.length;
      this.onBytes(piece.length);
    }
  }

  /** @param {string} hash @returns {Promise<string | null>} what is wrong */
  async mismatch(hash) {
    const { into, length } = this;
    if (length === into.length) {
      return await sha256(into) === hash ? null : 'its content does not match its SHA-256';
    }
    const start = new TextDecoder().decode(into.subarray(0, Math.min(64, length)));
    if (/^\s*<(!doctype|html)/i.test(start)) return 'the server sent an HTML page in its place';
    return `${length} bytes or more arrived, ${into.length} were expected`;
  }
}

/**
 * One try. The rest of a file is asked for alone where the server is known to send whole files
 * without further encoding, and taken only if it is that rest.
 *
 * @param {URL} url
 * @param {RequestCache} cache
 * @param {AbortSignal} signal
 * @param {Arrival} arrival
 */
async function receive(url, cache, signal, arrival) {
  const { length: from, into } = arrival;
  if (from === into.length && from > 0) return; // it was the end of the response that was lost
  if (from > 0 && arrival.resumable) {
    const headers = { Range: `bytes=${from}-` };
    const rest = await withinSilence(fetch(url, { cache: 'no-store', headers, signal }));
    const range = rest.headers.get('content-range');
    if (rest.status === 206 && range === `bytes ${from}-${into.length - 1}/${into.length}`) {
      return await arrival.take(bodyOf(rest));
    }
    rest.body?.cancel().catch(() => {});
  }
  arrival.restart();
  const response = await answer(url, { cache, signal });
  // What another origin sends cannot be seen whole, and a range there would be asked for twice.
  arrival.resumable = response.type !== 'cors' && !response.headers.has('content-encoding');
  await arrival.take(bodyOf(response));
}

/** @param {URL} url @param {RequestInit} init @returns {Promise<Response>} */
async function answer(url, init) {
  const response = await withinSilence(fetch(url, init));
  if (response.ok) return response;
  const { status } = response;
  throw Object.assign(new Error(`the server answered ${status}`), { status });
}

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @returns {() => Promise<Uint8Array | null>} gives piece after piece, in the same memory where
 *   the browser can do that; null at the end
 */
function piecesOf(stream) {
  try {
    const reader = stream.getReader({ mode: 'byob' });
    let memory = new ArrayBuffer(PIECE);
    return async () => {
      const { done, value } = await reader.read(new Uint8Array(memory));
      if (value) memory = value.buffer;
      return done ? null : value;
    };
  } catch { // no stream of bytes
    const reader = stream.getReader();
    return async () => (await reader.read()).value ?? null;
  }
}

/** @param {Response} response */
function bodyOf(response) {
  return response.body ?? new ReadableStream({ start: (controller) => controller.close() });
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
