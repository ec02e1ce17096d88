/**
 * Method calls over messages, with parts before the answer and a signal that can end them.
 *
 *     page → worker   { id, method, argument }   { id, abort: true }
 *     worker → page   { id, part }   { id, value }   { id, error }
 *
 * @import { Call } from './service.js'
 * @import { PlainError } from './errors.js'
 */

import { fromPlain, MdstError, toPlain } from './errors.js';

/**
 * @typedef {{ signal?: AbortSignal | null, onPart?: (part: any) => void }} CallOptions
 * @typedef {{ method: string, argument: any }} Order
 * @typedef {{ resolve: (value: any) => void, reject: (error: unknown) => void,
 *   onPart: (part: any) => void }} Waiting
 */

/** The page's end. */
export class Caller {
  /** @param {Worker} worker */
  constructor(worker) {
    this.worker = worker;
    this.next = 0;
    /** @type {Map<number, Waiting>} */
    this.waiting = new Map();
    /** @type {Error | null} */
    this.ended = null;
    worker.addEventListener('message', ({ data }) => this.receive(data));
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      const reason = event.message || 'its script could not be loaded';
      const code = this.next > 1 ? 'device_lost' : 'download_failed'; // the first call loads
      this.end(new MdstError(code, `the worker failed: ${reason}`));
    });
  }

  /**
   * @param {string} method
   * @param {any} argument
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  call(method, argument, { signal, onPart = () => {} } = {}) {
    if (this.ended !== null) return Promise.reject(this.ended);
    const id = this.next++;
    const abort = () => this.worker.postMessage({ id, abort: true });
    /** @type {Promise<any>} */
    const answer = new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, onPart });
      try {
        this.worker.postMessage({ id, method, argument });
      } catch (error) { // of functions, for example
        const message = `the request has what cannot be sent to a worker: ${error}`;
        reject(new MdstError('invalid_request', message, { cause: error }));
      }
    });
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    const forget = () => {
      this.waiting.delete(id);
      signal?.removeEventListener('abort', abort);
    };
    answer.then(forget, forget);
    return answer;
  }

  /** @param {{ id: number, part?: any, value?: any, error?: PlainError }} message */
  receive(message) {
    const waiting = this.waiting.get(message.id);
    if (waiting === undefined) return;
    if ('part' in message) waiting.onPart(message.part);
    else if (message.error) waiting.reject(fromPlain(message.error));
    else waiting.resolve(message.value);
  }

  /** Ends the worker; calls that wait for it, and all later ones, fail. @param {Error} error */
  end(error) {
    this.worker.terminate();
    this.ended ??= error;
    for (const { reject } of this.waiting.values()) reject(this.ended);
  }
}

/**
 * The worker's end: answers with the methods of `service`.
 *
 * @param {Pick<Worker, 'postMessage' | 'addEventListener'>} port
 * @param {(order: Order, call: Call) => Promise<any>} answer
 */
export function serve(port, answer) {
  /** @type {Map<number, AbortController>} */
  const running = new Map();
  port.addEventListener('message', async (event) => {
    const { id, abort, ...order } = /** @type {MessageEvent} */ (event).data;
    if (abort) {
      running.get(id)?.abort();
      return;
    }
    const controller = new AbortController();
    running.set(id, controller);
    /** @param {any} part */
    const onPart = (part) => port.postMessage({ id, part });
    try {
      const value = await answer(order, { signal: controller.signal, onPart });
      port.postMessage({ id, value });
    } catch (error) {
      port.postMessage({ id, error: toPlain(error) });
    } finally {
      running.delete(id);
    }
  });
}
