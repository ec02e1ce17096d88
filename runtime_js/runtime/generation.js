/**
 * A prompt → tokens, as an executor makes them. The next draw is on its way before one is read.
 *
 * @import { Executor, Outcome, Settings } from './executor.d.ts'
 * @import { Constraint, Matcher } from './grammar/matcher.js'
 * @import { Request } from './request.js'
 */

import { END } from './state.js';

/**
 * @typedef {{ ids: number[], rows: Float32Array[], ended: boolean, full: boolean }} Piece `rows`:
 *   the logits behind each id, where they were asked for; `ended`: an end token came (it is not
 *   among the ids); `full`: the context is
 * @typedef {Request & { endIds: number[], sinks: number, constraint: Constraint | null }} Ready
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
 * @param {readonly number[]} made its tokens so far, by an executor that failed; else none
 * @param {AbortSignal} signal
 * @param {Progress} progress filled on the way; the same one for all choices
 * @returns {AsyncGenerator<Piece, void, void>}
 */
export async function* generateTokens(executor, prompt, request, choice, made, signal, progress) {
  const run = new Run(executor, prompt, request, made);
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
   * @param {readonly number[]} made
   */
  constructor(executor, prompt, request, made) {
    this.executor = executor;
    this.prompt = prompt;
    this.request = request;
    this.made = made;
    /** @type {number[]} prompt and all that was drawn */
    this.ids = [...prompt, ...made];
    this.processed = 0;
    this.planned = made.length;
    this.most = 0;
    this.matcher = request.constraint?.matcher({ budget: request.maxTokens }) ?? null;
    for (const id of made) this.matcher?.accept(id);
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
    const { executor, ids, request } = this;
    executor.begin(this.settings(choice));
    const logits = this.made.length > 0 ? null : progress.logits;
    if (logits === null || !executor.cache.returnsTo(ids.length)) {
      const cached = executor.cache.shared(ids);
      if (choice === 0 && this.made.length === 0) progress.cached = cached;
      this.processed = await executor.prefill(ids, cached, signal);
      if (this.processed < ids.length) return false;
    }
    if (logits !== null) executor.resume(ids.length, logits);
    else if (request.choices > 1 && this.made.length === 0) {
      progress.logits = await executor.logits();
    }
    this.processed = ids.length;
    if (this.planned >= request.maxTokens) return false;
    if (this.matcher !== null) this.step(this.matcher);
    else this.fly(executor.sample(request.logprobs !== null), 1);
    return true;
  }

  /** @param {number} choice @returns {Settings} */
  settings(choice) {
    const { executor: { manifest: { context } }, request, prompt, made } = this;
    return {
      sampling: { ...request.sampling, choice, step: made.length },
      limit: request.slide ? context.max_position : context.window,
      sinks: request.sinks,
      endIds: request.endIds,
      counted: request.penalties ? { prompt, output: made } : null,
      bias: request.bias.length > 0 ? this.bias() : null,
    };
  }

  /** What the request adds to the logits. */
  bias() {
    const bias = new Float32Array(this.executor.manifest.model.vocabulary);
    for (const [id, value] of this.request.bias) bias[id] = value;
    return bias;
  }

  /** Asks until the executor has enough to do, or all tokens are on their way. */
  fill() {
    const { executor, request } = this;
    if (this.matcher !== null) return this.step(this.matcher);
    const rows = request.logprobs !== null;
    const most = rows ? executor.mostRows : executor.mostSteps;
    while (this.flights.length < executor.inFlight && this.planned < request.maxTokens) {
      const wanted = Math.min(request.steps || executor.suited, most);
      const repeat = Math.min(wanted, request.maxTokens - this.planned);
      this.fly(executor.decode(repeat, rows), repeat);
    }
  }

  /**
   * One token that the grammar allows. The device goes on to the logits after it while the token is
   * on its way here and the next mask is made.
   *
   * @param {Matcher} matcher
   */
  step(matcher) {
    const { executor, request } = this;
    if (this.flights.length > 0 || this.planned >= request.maxTokens) return;
    executor.setBias(masked(this.bias(), matcher.mask()));
    this.fly(executor.sample(request.logprobs !== null), 1);
    if (this.planned < request.maxTokens) executor.forward();
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
    const shown = end >= 0 ? ids.slice(0, end) : ids;
    for (const id of shown) this.matcher?.accept(id);
    const ended = done === END || end >= 0 || this.matcher?.mustEnd === true;
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

/**
 * @param {Float32Array<ArrayBuffer>} bias changed in place
 * @param {Uint32Array} mask a bit for each id that is allowed
 */
function masked(bias, mask) {
  for (let id = 0; id < bias.length; id += 1) {
    if ((mask[id >> 5] >> (id & 31) & 1) === 0) bias[id] = -Infinity;
  }
  return bias;
}
