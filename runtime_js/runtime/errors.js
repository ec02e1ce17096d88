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
   * @param {{ problems?: Problem[], param?: string | null, cause?: unknown }} [more]
   */
  constructor(code, message, { problems = [], param = null, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MdstError';
    this.code = code;
    this.problems = problems;
    this.param = param;
  }
}

/**
 * What a message can carry of an error; `code` is null for errors of other classes, of which the
 * stack tells where a bug is.
 *
 * @typedef {{ code: ErrorCode | null, name: string, message: string, problems: Problem[],
 *   param: string | null, stack: string }} PlainError
 */

/** @param {unknown} error @returns {PlainError} */
export function toPlain(error) {
  const { name, message, stack = '' } = error instanceof Error ? error : new Error(String(error));
  const known = error instanceof MdstError;
  const { code, problems, param } = known ? error : { code: null, problems: [], param: null };
  return { code, name, message, problems, param, stack };
}

/** @param {PlainError} plain @returns {Error} */
export function fromPlain({ code, name, message, problems, param, stack }) {
  if (code !== null) return new MdstError(code, message, { problems, param });
  return Object.assign(new Error(message), { name, stack });
}

/** @param {AbortSignal | undefined} signal @throws {MdstError} 'aborted' */
export function throwIfAborted(signal) {
  if (signal?.aborted) throw new MdstError('aborted', 'aborted', { cause: signal.reason });
}
