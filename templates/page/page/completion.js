/** One text from the engine, piece by piece. */

/** @import { CompletionChunk, CompletionRequest, Engine, FinishReason } from '../mdst.d.ts' */

import { counted, formatRate } from './format.js';

/** Share of the context that is left of a text that has outgrown it. */
const KEPT = 3 / 4;

/**
 * The tokens to go on from: all of a text that fits the context, else the first token and the
 * newest ones, with room for more.
 *
 * @param {number[]} ids
 * @param {number} context in tokens
 * @returns {number[]}
 */
export function newest(ids, context) {
  if (ids.length < context) return ids;
  return [ids[0], ...ids.slice(1 - Math.max(2, Math.floor(context * KEPT)))];
}

/**
 * Generates until the end or an abort.
 *
 * @param {Engine} engine
 * @param {CompletionRequest} request
 * @param {(text: string, progress: string) => void} onPiece the new text, and how it goes
 * @returns {Promise<CompletionChunk>} the last chunk
 */
export async function complete(engine, request, onPiece) {
  const stream = await engine.completions.create({ ...request, stream: true });
  let count = 0;
  let start = 0;
  let first = 0;
  for await (const chunk of stream) {
    const { text, tokens, finish_reason: reason } = chunk.choices[0];
    count += tokens.length;
    if (!start) {
      start = performance.now();
      first = count;
    }
    const rate = formatRate((count - first) / ((performance.now() - start) / 1000));
    onPiece(text, `${counted(count, 'token')} · ${rate}`);
    if (reason) return chunk;
  }
  throw new Error('the text ended without a reason');
}

/**
 * How a text ended, in a line.
 *
 * @param {CompletionChunk} last
 * @returns {string}
 */
export function summary({ choices, usage, timings, seed }) {
  /** @type {Record<FinishReason, string>} */
  const endings = { stop: 'The end', length: 'Paused', abort: 'Stopped' };
  const reason = choices[0].finish_reason;
  const parts = [reason ? endings[reason] : ''];
  if (usage) parts.push(counted(usage.completion_tokens, 'token'));
  if (usage && timings && usage.completion_tokens > 1) {
    parts.push(formatRate((usage.completion_tokens - 1) / timings.decode_seconds));
  }
  if (seed !== undefined) parts.push(`seed ${seed}`);
  return parts.join(' · ');
}
