/**
 * The one class of errors that leaves the runtime, and how it crosses from a worker to the page.
 *
 * @import { ErrorCode, Problem } from '../mdst.d.ts'
 */

/** A failure that a page can tell its user about; `code` says which kind, for programs. */
export class MdstError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message
   * @param {{ problems?: Problem[], cause?: unknown }} [more]
   */
  constructor(code, message, { problems = [], cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MdstError';
    this.code = code;
    this.problems = problems;
  }
}

/**
 * @typedef {{ code: ErrorCode | null, name: string, message: string, problems: Problem[] }} PlainError
 *
 * @param {unknown} error
 * @returns {PlainError} what a message can carry; `code` is null for errors of other classes
 */
export function toPlain(error) {
  if (error instanceof MdstError) {
    const { code, name, message, problems } = error;
    return { code, name, message, problems };
  }
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { code: null, name, message, problems: [] };
}

/** @param {PlainError} plain @returns {Error} */
export function fromPlain({ code, name, message, problems }) {
  if (code !== null) return new MdstError(code, message, { problems });
  return Object.assign(new Error(message), { name });
}

/** @param {AbortSignal | undefined} signal @throws {MdstError} 'aborted' */
export function throwIfAborted(signal) {
  if (signal?.aborted) throw new MdstError('aborted', 'aborted', { cause: signal.reason });
}
