/**
 * A prompt → tokens, as an executor makes them. The next draw is on its way before one is read.
 *
 * @import { Executor, Outcome, Settings } from './executor.d.ts'
 * @import { Request } from './request.js'
 */

import { END } from './state.js';

/**
 * @typedef {{ ids: number[], rows: Float32Array[], ended: boolean, full: boolean }} Piece `rows`:
 *   the logits behind each id, where they were asked for; `ended`: an end token came (it is not
 *   among the ids); `full`: the context is
 * @typedef {Request & { endIds: number[], sinks: number }} Ready
 * @typedef {{ cached: number, prefilled: number, steps: number,
 *   logits: Float32Array<ArrayBuffer> | null }} Progress prompt tokens that were in the cache; when
 *   the prompt was done (`performance.now()`); most tokens per draw; the logits after the prompt,
 *   kept for further choices
 */

/**
 * Yields what each draw made. What is generated depends neither on the device's speed nor on
 * `steps`. After an early return by the consumer, or an abort, the cache holds what was processed.
 *
 * @param {Executor} executor
 * @param {readonly number[]} prompt checked
 * @param {Ready} request
 * @param {number} choice which of the answers to this prompt
 * @param {AbortSignal} signal
 * @param {Progress} progress filled on the way; the same one for all choices
 * @returns {AsyncGenerator<Piece, void, void>}
 */
export async function* generateTokens(executor, prompt, request, choice, signal, progress) {
  const run = new Run(executor, prompt, request);
  try {
    if (!(await run.begin(choice, signal, progress))) return;
    while (!signal.aborted) {
      run.fill();
      if (run.flights.length === 0) return;
      const piece = run.take(await run.next());
      if (progress.prefilled === 0) progress.prefilled = performance.now();
      progress.steps = Math.max(progress.steps, run.most);
      yield piece;
      if (piece.ended || piece.full) return;
    }
  } finally {
    await run.finish();
  }
}

class Run {
  /**
   * @param {Executor} executor
   * @param {readonly number[]} prompt
   * @param {Ready} request
   */
  constructor(executor, prompt, request) {
    this.executor = executor;
    this.prompt = prompt;
    this.request = request;
    /** @type {number[]} prompt and all that was drawn */
    this.ids = [...prompt];
    this.processed = 0;
    this.planned = 0;
    this.most = 0;
    /** @type {Promise<Outcome>[]} */
    this.flights = [];
  }

  /**
   * @param {number} choice
   * @param {AbortSignal} signal
   * @param {Progress} progress
   * @returns {Promise<boolean>} whether the first token is on its way; false also when none is wanted
   */
  async begin(choice, signal, progress) {
    const { executor, prompt, request } = this;
    executor.begin(this.settings(choice));
    if (progress.logits === null || !executor.cache.returnsTo(prompt.length)) {
      const cached = executor.cache.shared(prompt);
      if (choice === 0) progress.cached = cached;
      this.processed = await executor.prefill(prompt, cached, signal);
      if (this.processed < prompt.length) return false;
    }
    if (progress.logits !== null) executor.resume(prompt.length, progress.logits);
    else if (request.choices > 1) progress.logits = await executor.logits();
    this.processed = prompt.length;
    if (request.maxTokens === 0) return false;
    this.fly(executor.sample(request.logprobs !== null), 1);
    return true;
  }

  /** @param {number} choice @returns {Settings} */
  settings(choice) {
    const { executor: { manifest: { context, model } }, request, prompt } = this;
    const bias = request.bias.length > 0 ? new Float32Array(model.vocabulary) : null;
    for (const [id, value] of request.bias) if (bias !== null) bias[id] = value;
    return {
      sampling: { ...request.sampling, choice },
      limit: request.slide ? context.max_position : context.window,
      sinks: request.sinks,
      endIds: request.endIds,
      counted: request.penalties ? prompt : null,
      bias,
    };
  }

  /** Asks until the executor has enough to do, or all tokens are on their way. */
  fill() {
    const { executor, request } = this;
    const rows = request.logprobs !== null;
    const most = rows ? executor.mostRows : executor.mostSteps;
    while (this.flights.length < executor.inFlight && this.planned < request.maxTokens) {
      const wanted = Math.min(request.steps || executor.suited, most);
      const repeat = Math.min(wanted, request.maxTokens - this.planned);
      this.fly(executor.decode(repeat, rows), repeat);
    }
  }

  /** @param {Promise<Outcome>} outcome @param {number} repeat */
  fly(outcome, repeat) {
    outcome.catch(() => {}); // reported when it is awaited
    this.flights.push(outcome);
    this.planned += repeat;
    this.most = Math.max(this.most, repeat);
  }

  /** @returns {Promise<Outcome>} of the oldest draw */
  async next() {
    const outcome = await this.flights[0];
    this.flights.shift();
    return outcome;
  }

  /** @param {Outcome} outcome @returns {Piece} */
  take({ ids, rows, position, done }) {
    this.ids.push(...ids);
    this.processed = position;
    const end = ids.findIndex((id) => this.request.endIds.includes(id));
    const ended = done === END || end >= 0;
    const shown = end >= 0 ? ids.slice(0, end) : ids;
    return { ids: shown, rows, ended, full: done !== 0 && !ended };
  }

  /** Waits for what is still on its way, so that the cache's content is known. */
  async finish() {
    const { cache } = this.executor;
    try {
      while (this.flights.length > 0) this.take(await this.next());
      cache.holds(this.ids.slice(0, this.processed));
    } catch (error) {
      cache.clear();
      throw error;
    }
  }
}
