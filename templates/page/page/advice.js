/** What somebody can do whose attempt failed. */

/** @import { ErrorCode } from '../mdst.d.ts' */

import { sentence } from './format.js';

/** @type {ReadonlySet<string>} */
const LOST = new Set(
  /** @type {ErrorCode[]} */ (['device_lost', 'out_of_memory', 'unloaded']),
);

/** @type {ReadonlySet<string>} */
const HOPELESS = new Set(
  /** @type {ErrorCode[]} */ (['context_length_exceeded', 'invalid_request']),
);

/**
 * Whether an error of this code leaves an engine that can still be used.
 *
 * @param {string} code
 * @returns {boolean}
 */
export function engineSurvives(code) {
  return !LOST.has(code);
}

/**
 * What to say of an error and whether the same again may work.
 *
 * @param {string} code
 * @param {string} message
 * @returns {{ text: string, again: boolean }}
 */
export function explain(code, message) {
  const text = [sentence(message), NEXT[code]].filter(Boolean).join(' ');
  return { text, again: !HOPELESS.has(code) };
}

/** @type {Record<string, string>} */
const NEXT = {
  download_failed: 'Check the connection, then try again.',
  integrity: 'The server may be in the middle of an update; try again in a minute.',
  format: 'Reload the page; if that does not help, the model must be compiled again.',
  context_length_exceeded: 'Shorten the text.',
  invalid_request: 'Change the text or the settings.',
  device_lost: 'The text is kept; the model must be loaded again.',
  out_of_memory: 'Close other tabs and programs that use the GPU, then load the model again.',
  unloaded: 'The text is kept; the model must be loaded again.',
};
