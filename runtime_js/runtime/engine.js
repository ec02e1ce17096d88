/**
 * The engine that a page holds, over a service in a worker or in the same thread.
 *
 * @import { ChatChunk, ChatRequest, CompletionChunk, CompletionRequest, Engine } from '../mdst.d.ts'
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
  /** @param {string} method */
  const creating = (method) => ({
    /** @param {CompletionRequest | ChatRequest} request */
    create: async ({ signal, ...request }) => {
      if (request.stream) return await stream(line, method, request, signal);
      return await line.call(method, request, { signal });
    },
  });
  /** @type {Promise<void> | null} */
  let unloading = null;
  const unload = async () => {
    const error = new MdstError('unloaded', 'the model was unloaded');
    await line.call('unload', undefined).catch(() => {}); // a dead worker holds nothing
    line.end(error);
  };
  return {
    chat: { completions: /** @type {any} */ (creating('chat')) },
    completions: /** @type {any} */ (creating('complete')),
    applyChatTemplate: (messages, options) =>
      line.call('applyChatTemplate', { ...options, messages }),
    tokenize: (text, options) => line.call('tokenize', { ...options, text }),
    detokenize: (ids) => line.call('detokenize', { ids }),
    logits: (ids, options) => line.call('logits', { ...options, ids }),
    profile: () => line.call('profile', undefined),
    stats: async () => ({ ...(await line.call('stats', undefined)), worker: line.worker }),
    unload: () => unloading ??= unload(),
  };
}

/**
 * Generation does not wait for the reader; when the reader leaves, it stops.
 *
 * @param {Line} line
 * @param {string} method
 * @param {Omit<CompletionRequest | ChatRequest, 'signal'>} request
 * @param {AbortSignal | null | undefined} signal
 * @returns {Promise<AsyncIterable<CompletionChunk | ChatChunk>>} as soon as the request is accepted
 */
function stream(line, method, request, signal) {
  return new Promise((resolve, reject) => {
    const leaving = new AbortController();
    /** @type {Promise<void>} */
    let answer = Promise.resolve();
    const leave = async () => {
      leaving.abort();
      await answer.catch(() => {});
    };
    /** @type {Channel<CompletionChunk | ChatChunk>} */
    const channel = new Channel(leave);
    /** @param {CompletionChunk | ChatChunk | null} part */
    const onPart = (part) => part === null ? resolve(channel) : channel.push(part);
    const either = signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal;
    answer = line.call(method, request, { signal: either, onPart });
    answer.then(() => channel.close(), (error) => {
      reject(error); // no effect once the request is accepted
      channel.close({ error });
    });
  });
}
