/**
 * A job → its texts, piece by piece: tokens decoded, cut at stop strings, counted.
 *
 * @import { FinishReason, Timings, Usage } from '../mdst.d.ts'
 * @import { Executor } from './executor.d.ts'
 * @import { Piece, Progress, Ready } from './generation.js'
 * @import { TokenLogprob } from './logprobs.js'
 * @import { Tokenizer } from './text/tokenizer.js'
 */

import { generateTokens } from './generation.js';
import { tokenLogprob } from './logprobs.js';
import { StopFilter } from './stop.js';
import { StreamDecoder } from './text/tokenizer.js';

/**
 * @typedef {{ ids: readonly number[], request: Ready }} Job
 * @typedef {{ usage: Usage, timings: Timings, seed: number, steps: number }} Summary
 * @typedef {{ index: number, text: string, tokens: number[], logprobs: TokenLogprob[] | null,
 *   reason: FinishReason | null, summary: Summary | null }} Part what is new of choice `index`. Its
 *   last part has a reason and no text; the last part of all has the summary
 */

/**
 * What runs the model now. `replace` gives another one for one that failed, or throws the failure.
 *
 * @typedef {{ executor: Executor, replace: (error: unknown) => Promise<Executor> }} Runner
 */

/**
 * @param {Runner} runner
 * @param {Tokenizer} tokenizer
 * @param {Job} job
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Part, void, void>} the choices one after another
 */
export async function* complete(runner, tokenizer, { ids, request }, signal) {
  const started = performance.now();
  /** @type {Progress} */
  const progress = { cached: 0, prefilled: 0, steps: 0, logits: null };
  let made = 0;
  let { executor } = runner;
  for (let index = 0; index < request.choices; index += 1) {
    const text = new Text(tokenizer, request);
    for (let going = true; going;) {
      const tokens = generateTokens(executor, ids, request, index, text.ids, signal, progress);
      try {
        for await (const piece of tokens) {
          const part = text.take(piece);
          made += part.tokens.length;
          if (part.text !== '' || part.tokens.length > 0) {
            yield { index, ...part, reason: null, summary: null };
          }
          if (text.filter.stopped) break;
        }
        going = false;
      } catch (error) {
        if (ids.length + text.ids.length > executor.manifest.context.window) throw error;
        if (text.ended) going = false; // only what was on its way beyond the end has failed
        else executor = await runner.replace(error);
      }
    }
    if (signal.aborted && text.reason !== 'stop') text.reason = 'abort';
    const rest = text.rest();
    const nothing = { tokens: [], logprobs: request.logprobs === null ? null : [] };
    if (rest !== '') yield { index, text: rest, ...nothing, reason: null, summary: null };
    const last = index + 1 === request.choices;
    const summary = last ? summarize(ids.length, made, request.seed, started, progress) : null;
    yield { index, text: '', ...nothing, reason: text.reason, summary };
  }
}

/** One answer as it grows. */
class Text {
  /** @param {Tokenizer} tokenizer @param {Ready} request */
  constructor(tokenizer, { stops, logprobs }) {
    this.decoder = new StreamDecoder(tokenizer);
    this.filter = new StopFilter(stops);
    this.top = logprobs;
    this.length = 0;
    /** @type {number[]} */
    this.ids = [];
    /** @type {FinishReason} */
    this.reason = 'length';
    this.ended = false;
  }

  /**
   * @param {Piece} piece
   * @returns {Pick<Part, 'text' | 'tokens' | 'logprobs'>} up to the token that completes a stop
   *   string
   */
  take({ ids, rows, ended, full }) {
    if (ended) this.reason = 'stop';
    this.ended ||= ended || full;
    let text = '';
    /** @type {number[]} */
    const tokens = [];
    /** @type {TokenLogprob[]} */
    const logprobs = [];
    for (const [i, id] of ids.entries()) {
      if (this.top !== null) logprobs.push(tokenLogprob(rows[i], id, this.top, this.length));
      const piece = this.decoder.push(id);
      this.length += piece.length;
      text += this.filter.push(piece);
      tokens.push(id);
      this.ids.push(id);
      if (this.filter.stopped) {
        this.reason = 'stop';
        this.ended = true;
        break;
      }
    }
    return { text, tokens, logprobs: this.top === null ? null : logprobs };
  }

  /** What was held back, at the end. */
  rest() {
    return this.filter.stopped ? '' : this.filter.push(this.decoder.flush()) + this.filter.flush();
  }
}

/**
 * @param {number} prompt
 * @param {number} made
 * @param {number} seed
 * @param {number} started
 * @param {Progress} progress
 * @returns {Summary}
 */
function summarize(prompt, made, seed, started, { cached, prefilled, steps }) {
  const ended = performance.now();
  const begun = prefilled || ended;
  return {
    usage: {
      prompt_tokens: prompt,
      completion_tokens: made,
      total_tokens: prompt + made,
      prompt_tokens_details: { cached_tokens: cached },
    },
    timings: {
      prefill_seconds: (begun - started) / 1000,
      decode_seconds: (ended - begun) / 1000,
    },
    seed,
    steps,
  };
}
