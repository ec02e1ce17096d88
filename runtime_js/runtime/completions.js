/**
 * Requests in OpenAI's shape → text.
 *
 * @import { Completion, CompletionChunk, CompletionRequest, FinishReason, Usage } from '../mdst.d.ts'
 * @import { Timings } from '../mdst.d.ts'
 * @import { Model } from './model.js'
 * @import { Request } from './request.js'
 * @import { Tokenizer } from './text/tokenizer.js'
 */

import { generateTokens } from './generation.js';
import { checkPrompt, invalid } from './request.js';
import { StopFilter } from './stop.js';
import { StreamDecoder } from './text/tokenizer.js';

/**
 * @typedef {{ ids: readonly number[], request: Request & { endIds: number[], sinks: number } }} Job
 * @typedef {{ tokens: number[], text: string, reason: FinishReason, seed: number, usage: Usage,
 *   timings: Timings, steps: number }} Result
 */

/**
 * @param {CompletionRequest['prompt']} prompt
 * @param {Tokenizer} tokenizer
 * @param {Model} model
 * @returns {readonly number[]} ids that fit the context
 */
export function promptIds(prompt, tokenizer, model) {
  const isText = typeof prompt === 'string';
  if (!isText && !Array.isArray(prompt)) throw invalid('prompt must be a text or a list of ids');
  const ids = isText ? tokenizer.encode(prompt, { addSpecial: true, parseSpecial: false }) : prompt;
  checkPrompt(ids, model.manifest);
  return ids;
}

/**
 * @param {Model} model
 * @param {Tokenizer} tokenizer
 * @param {Job} job
 * @param {AbortSignal} signal
 * @param {(text: string, tokens: number[]) => void} onPiece
 * @returns {Promise<Result>}
 */
export async function complete(model, tokenizer, { ids, request }, signal, onPiece) {
  const decoder = new StreamDecoder(tokenizer);
  const filter = new StopFilter(request.stops);
  const started = performance.now();
  const progress = { cached: 0, prefilled: 0, steps: 0 };
  const result = { text: '', tokens: /** @type {number[]} */ ([]) };
  /** @param {string} text @param {number[]} tokens */
  const show = (text, tokens) => {
    result.text += text;
    result.tokens.push(...tokens);
    if (text !== '' || tokens.length > 0) onPiece(text, tokens);
  };
  /** @type {FinishReason} */
  let reason = 'length';
  for await (const piece of generateTokens(model, ids, request, signal, progress)) {
    const { text, tokens } = decode(piece.ids, decoder, filter);
    if (piece.ended || filter.stopped) reason = 'stop';
    show(text, tokens);
    if (filter.stopped) break;
  }
  if (signal.aborted && reason !== 'stop') reason = 'abort';
  if (!filter.stopped) show(filter.push(decoder.flush()) + filter.flush(), []);
  const ended = performance.now();
  const prefilled = progress.prefilled || ended;
  return {
    ...result,
    reason,
    seed: request.seed,
    usage: {
      prompt_tokens: ids.length,
      completion_tokens: result.tokens.length,
      total_tokens: ids.length + result.tokens.length,
      cached_tokens: progress.cached,
    },
    timings: {
      prefill_seconds: (prefilled - started) / 1000,
      decode_seconds: (ended - prefilled) / 1000,
    },
    steps: progress.steps,
  };
}

/**
 * @param {number[]} ids
 * @param {StreamDecoder} decoder
 * @param {StopFilter} filter
 * @returns {{ text: string, tokens: number[] }} up to the token that completes a stop string
 */
function decode(ids, decoder, filter) {
  let text = '';
  for (const [i, id] of ids.entries()) {
    text += filter.push(decoder.push(id));
    if (filter.stopped) return { text, tokens: ids.slice(0, i + 1) };
  }
  return { text, tokens: ids };
}

/** The parts that a completion and its chunks share. @param {Model} model */
export function envelope(model) {
  return {
    id: `cmpl-${crypto.randomUUID()}`,
    object: /** @type {const} */ ('text_completion'),
    created: Math.floor(Date.now() / 1000),
    model: model.manifest.model.name,
  };
}

/**
 * @param {ReturnType<typeof envelope>} head
 * @param {Result} result
 * @returns {Completion}
 */
export function wholeCompletion(head, { text, tokens, reason, usage, timings, seed }) {
  const choice = { index: /** @type {const} */ (0), text, tokens, finish_reason: reason };
  return { ...head, choices: [choice], usage, timings, seed };
}

/**
 * @param {ReturnType<typeof envelope>} head
 * @param {string} text
 * @param {number[]} tokens
 * @returns {CompletionChunk}
 */
export function chunk(head, text, tokens) {
  return { ...head, choices: [{ index: 0, text, tokens, finish_reason: null }] };
}

/**
 * @param {ReturnType<typeof envelope>} head
 * @param {Result} result
 * @returns {CompletionChunk} the last one, without text
 */
export function lastChunk(head, { reason, usage, timings, seed }) {
  const choice = { index: /** @type {const} */ (0), text: '', tokens: [], finish_reason: reason };
  return { ...head, choices: [choice], usage, timings, seed };
}
