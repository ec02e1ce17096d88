/**
 * The engine that a page holds, over a service in a worker or in the same thread.
 *
 * @import { CompletionChunk, CompletionRequest, Engine } from '../mdst.d.ts'
 * @import { CallOptions } from './rpc.js'
 */

import { Channel } from './channel.js';
import { MdstError } from './errors.js';

/**
 * How the other side is called, and let go of.
 *
 * @typedef {object} Line
 * @property {(method: string, argument: any, options?: CallOptions) => Promise<any>} call
 * @property {(error: Error) => void} end
 * @property {boolean} worker
 */

/**
 * @param {Line} line
 * @returns {Engine}
 */
export function engineOver(line) {
  /** @param {CompletionRequest} request */
  const create = async ({ signal, ...request }) => {
    if (request.stream) return await stream(line, request, signal);
    return await line.call('create', request, { signal });
  };
  /** @type {Promise<void> | null} */
  let unloading = null;
  const unload = async () => {
    const error = new MdstError('unloaded', 'the model was unloaded');
    await line.call('unload', undefined).catch(() => {}); // a dead worker holds nothing
    line.end(error);
  };
  return {
    completions: { create: /** @type {any} */ (create) },
    tokenize: (text, options) => line.call('tokenize', { ...options, text }),
    detokenize: (ids) => line.call('detokenize', { ids }),
    logits: (ids, options) => line.call('logits', { ...options, ids }),
    stats: async () => ({ ...(await line.call('stats', undefined)), worker: line.worker }),
    unload: () => unloading ??= unload(),
  };
}

/**
 * Generation does not wait for the reader; when the reader leaves, it stops.
 *
 * @param {Line} line
 * @param {Omit<CompletionRequest, 'signal'>} request
 * @param {AbortSignal | null | undefined} signal
 * @returns {Promise<AsyncIterable<CompletionChunk>>} as soon as the request is accepted
 */
function stream(line, request, signal) {
  return new Promise((resolve, reject) => {
    const leaving = new AbortController();
    /** @type {Promise<void>} */
    let answer = Promise.resolve();
    const leave = async () => {
      leaving.abort();
      await answer.catch(() => {});
    };
    /** @type {Channel<CompletionChunk>} */
    const channel = new Channel(leave);
    /** @param {CompletionChunk | null} part */
    const onPart = (part) => part === null ? resolve(channel) : channel.push(part);
    const either = signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal;
    answer = line.call('create', request, { signal: either, onPart });
    answer.then(() => channel.close(), (error) => {
      reject(error); // no effect once the request is accepted
      channel.close({ error });
    });
  });
}
