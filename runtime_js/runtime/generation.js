/**
 * A prompt → tokens, as the GPU makes them. The next submit is on its way before one is read.
 *
 * @import { Model, Outcome } from './model.js'
 * @import { Dispatch } from './programs.js'
 * @import { Request } from './request.js'
 */

import { END } from './state.js';

const IN_FLIGHT = 2;

/**
 * @typedef {{ ids: number[], ended: boolean, full: boolean }} Piece `ended`: an end token came (it
 *   is not among the ids); `full`: the context is
 * @typedef {{ cached: number, prefilled: number, steps: number }} Progress prompt tokens that
 *   were in the cache; when the prompt was done (`performance.now()`); most tokens per submit
 */

/**
 * Yields what each submit made. What is generated depends neither on the device's speed nor on
 * `steps`. After an early return by the consumer, or an abort, the cache holds what was processed.
 *
 * @param {Model} model
 * @param {readonly number[]} prompt checked
 * @param {Request & { endIds: number[], sinks: number }} request
 * @param {AbortSignal} signal
 * @param {Progress} progress filled on the way
 * @returns {AsyncGenerator<Piece, void, void>}
 */
export async function* generateTokens(model, prompt, request, signal, progress) {
  const run = new Run(model, prompt, request);
  try {
    progress.cached = model.cache.shared(prompt);
    await run.prefill(progress.cached, signal);
    while (!signal.aborted) {
      run.fill();
      if (run.flights.length === 0) return;
      const piece = run.take(await run.next());
      if (progress.prefilled === 0) progress.prefilled = performance.now();
      progress.steps = Math.max(progress.steps, run.lastRepeat);
      yield piece;
      if (piece.ended || piece.full) return;
    }
  } finally {
    await run.finish();
  }
}

class Run {
  /**
   * @param {Model} model
   * @param {readonly number[]} prompt
   * @param {Request & { endIds: number[], sinks: number }} request
   */
  constructor(model, prompt, request) {
    this.model = model;
    this.prompt = prompt;
    this.request = request;
    /** @type {number[]} prompt and all that was drawn */
    this.ids = [...prompt];
    this.processed = 0;
    this.planned = 0;
    this.drawn = 0;
    this.lastRepeat = 0;
    this.ended = 0;
    /** @type {{ repeat: number, started: number, outcome: Promise<Outcome> }[]} */
    this.flights = [];
  }

  /**
   * @param {number} start
   * @param {AbortSignal} signal
   * @returns {Promise<void>} when all of it is submitted, and the draw of the first token
   */
  async prefill(start, signal) {
    const { model, prompt, request } = this;
    const { cache, manifest, programs } = model;
    model.prefillPace.begin();
    model.decodePace.begin();
    model.writeSampling(request.penalties ? prompt : null, request.bias);
    this.processed = start;
    for (let from = start; from < prompt.length;) {
      const part = prompt.slice(from, from + manifest.context.chunk);
      const last = from + part.length === prompt.length;
      cache.writing(from, from + part.length);
      model.writeTokens(from, part);
      model.writeState(this.state(from, part.length));
      const { steps } = chunkFor(programs.prefill, part.length);
      const all = last ? [...steps, ...programs.prefillLogits] : steps;
      if (!(await model.runInParts(all, signal))) return;
      from += part.length;
      this.processed = from;
    }
    if (request.maxTokens > 0) this.draw(programs.sample, 1);
  }

  /** @param {number} position @param {number} tokens */
  state(position, tokens) {
    const { request, model } = this;
    const { context } = model.manifest;
    return {
      ...request.sampling,
      position,
      n_tokens: tokens,
      limit: request.slide ? context.max_position : context.window,
      sinks: request.sinks,
      end_count: request.endIds.length,
      end_ids: request.endIds,
    };
  }

  /** Submits until the GPU has enough to do, or all tokens are on their way. */
  fill() {
    const { model, request } = this;
    while (this.flights.length < IN_FLIGHT && this.planned < request.maxTokens) {
      const wanted = Math.min(request.steps || model.decodePace.units, model.mostSteps);
      const repeat = Math.min(wanted, request.maxTokens - this.planned);
      this.draw(model.programs.decode, repeat);
    }
  }

  /** @param {Dispatch[]} steps @param {number} repeat */
  draw(steps, repeat) {
    const started = performance.now();
    const position = this.prompt.length + this.planned;
    const outcome = this.model.draw(steps, repeat, position, this.planned);
    outcome.catch(() => {}); // reported when it is awaited
    this.flights.push({ repeat, started, outcome });
    this.planned += repeat;
  }

  /** @returns {Promise<Outcome>} of the oldest submit */
  async next() {
    const { repeat, started, outcome } = this.flights[0];
    const result = await outcome;
    this.flights.shift();
    const now = performance.now();
    if (result.done === 0 && result.step > 1) { // else it was the prompt's, or did nothing
      this.model.decodePace.report(repeat, now - Math.max(started, this.ended));
    }
    this.ended = now;
    this.lastRepeat = repeat;
    return result;
  }

  /** @param {Outcome} outcome @returns {Piece} */
  take({ ids, position, done }) {
    this.ids.push(...ids);
    this.drawn += ids.length;
    this.processed = position;
    const end = ids.findIndex((id) => this.request.endIds.includes(id));
    const ended = done === END || end >= 0;
    return { ids: end >= 0 ? ids.slice(0, end) : ids, ended, full: done !== 0 && !ended };
  }

  /** Waits for what is still on its way, so that the cache's content is known. */
  async finish() {
    try {
      while (this.flights.length > 0) this.take(await this.next());
      this.model.cache.holds(this.ids.slice(0, this.processed));
    } catch (error) {
      this.model.cache.clear();
      throw error;
    }
  }
}

/**
 * The smallest of the programs that a run of tokens fits.
 *
 * @template {{ tokens: number }} T
 * @param {T[]} programs by growing size
 * @param {number} tokens
 * @returns {T}
 */
export function chunkFor(programs, tokens) {
  return programs.find((program) => program.tokens >= tokens) ?? programs[programs.length - 1];
}
