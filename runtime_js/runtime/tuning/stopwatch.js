/**
 * How long a token takes by one program or another, on a model that writes no text meanwhile.
 *
 * By the GPU's own clock, from the first submit's beginning to the last one's end, so that it does
 * not matter how late a browser tells that work is done (Firefox: by up to 100 ms), and so that the
 * time between submits counts. Browsers make that clock coarse (Chrome: 65 µs), hence long runs.
 *
 * @import { Running, Settings } from '../executor.d.ts'
 * @import { Model } from '../model.js'
 * @import { Dispatch } from '../programs.js'
 */

import { encode } from '../programs.js';

const MAP_READ = 0x1; // GPUBufferUsage
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const QUERY_RESOLVE = 0x200;

const WARM = 250; // milliseconds of work after which GPUs run at full clock (an H200 takes 150)
const LONG = 30; // milliseconds of a run that is timed
const LONG_RUNS = 2;
const MOST_TOKENS = 2048;
const PART = 32; // dispatches of a token of which nobody knows yet how long it takes
const COARSE = 20; // milliseconds; waits longer than that are no measure of work

/** @type {Settings} of no text */
const NO_TEXT = { sampling: {}, limit: 0, sinks: 0, endIds: [], counted: null, bias: null };

/**
 * Makes a model ready for tokens that belong to no text.
 *
 * @param {Pick<Running, 'cache' | 'manifest' | 'begin'>} model
 */
export function leaveText(model) {
  model.cache.clear();
  model.begin({ ...NO_TEXT, limit: model.manifest.context.max_position });
}

export class Stopwatch {
  /**
   * @param {Model} model
   * @param {number} position of the tokens that are timed
   * @param {number} reach before which they stay
   */
  constructor(model, position, reach) {
    this.model = model;
    this.position = position;
    this.most = Math.max(1, Math.min(model.mostSteps, reach - position));
    const { gpu } = model.device;
    this.clock = gpu.features.has('timestamp-query')
      ? {
        querySet: gpu.createQuerySet({ type: 'timestamp', count: 2 }),
        resolved: gpu.createBuffer({ size: 16, usage: QUERY_RESOLVE | COPY_SRC }),
        buffer: gpu.createBuffer({ size: 16, usage: MAP_READ | COPY_DST }),
      }
      : null;
    leaveText(model);
  }

  /** @returns {Promise<boolean>} whether work can be timed here */
  async canTell() {
    if (this.clock !== null) return true;
    const started = performance.now();
    for (let turn = 0; turn < 2; turn += 1) {
      this.model.submit([]);
      await this.model.device.finished();
    }
    return performance.now() - started < 2 * COARSE;
  }

  /** Wakes the GPU up. @param {Dispatch[]} steps */
  async warmUp(steps) {
    const end = performance.now() + WARM;
    for (let tokens = 1; performance.now() < end;) {
      const time = await this.span(steps, tokens);
      if (time < LONG / 2) tokens = Math.min(2 * tokens, 64);
    }
  }

  /**
   * The first runs of kernels may take several times as long as later ones, so the best of some runs
   * counts, each of about as many tokens as take LONG by the best so far.
   *
   * @param {Dispatch[]} steps
   * @param {number} end `performance.now()` after which no further run is begun
   * @returns {Promise<number>} microseconds per token
   */
  async time(steps, end) {
    let best = Infinity;
    let tokens = 1;
    for (let turn = 0, long = 0; long < LONG_RUNS && performance.now() < end; turn += 1) {
      const time = await this.span(steps, tokens);
      if (turn > 0 && (time >= LONG / 2 || tokens === MOST_TOKENS)) long += 1;
      best = Math.min(best, time / tokens);
      tokens = Math.min(MOST_TOKENS, Math.ceil(LONG / best));
    }
    return 1000 * best;
  }

  /**
   * @param {Dispatch[]} steps of a token
   * @param {number} tokens
   * @returns {Promise<number>} milliseconds
   */
  async span(steps, tokens) {
    const { model: { device }, clock } = this;
    const submits = [...this.cut(steps, tokens)];
    const started = performance.now();
    submits.forEach(({ steps, repeat, first }, i) => {
      if (first) this.model.place(this.position, [0]);
      const encoder = device.gpu.createCommandEncoder();
      encode(encoder, steps, repeat, this.stamps(i === 0, i === submits.length - 1));
      if (clock !== null && i === submits.length - 1) {
        encoder.resolveQuerySet(clock.querySet, 0, 2, clock.resolved, 0);
        encoder.copyBufferToBuffer(clock.resolved, 0, clock.buffer, 0, 16);
      }
      device.queue.submit([encoder.finish()]);
    });
    if (clock === null) {
      await device.finished();
      return performance.now() - started;
    }
    const [begin, end] = new BigUint64Array(await device.read(clock.buffer, 16));
    const wall = performance.now() - started;
    const time = Number(end - begin) / 1e6;
    return time > 0 && time <= wall ? time : wall; // some clocks say nothing of use
  }

  /**
   * Submits that are short enough for the screen to stay alive.
   *
   * @param {Dispatch[]} steps
   * @param {number} tokens
   * @returns {Generator<{ steps: Dispatch[], repeat: number, first: boolean }>} `first`: it begins a
   *   token
   */
  *cut(steps, tokens) {
    if (tokens === 1) {
      for (let from = 0; from < steps.length; from += PART) {
        yield { steps: steps.slice(from, from + PART), repeat: 1, first: from === 0 };
      }
      return;
    }
    const suited = Math.floor(tokens / 2); // all of them take about LONG
    const most = Math.max(1, Math.min(this.most, suited));
    for (let left = tokens; left > 0; left -= most) {
      yield { steps, repeat: Math.min(left, most), first: true };
    }
  }

  /** @param {boolean} first @param {boolean} last @returns {GPUComputePassDescriptor} */
  stamps(first, last) {
    if (this.clock === null || !(first || last)) return {};
    const { querySet } = this.clock;
    return {
      timestampWrites: {
        querySet,
        ...(first && { beginningOfPassWriteIndex: 0 }),
        ...(last && { endOfPassWriteIndex: 1 }),
      },
    };
  }

  /** Ends it; the cache counts as empty afterwards. */
  close() {
    this.model.cache.clear();
    this.clock?.querySet.destroy();
    this.clock?.resolved.destroy();
    this.clock?.buffer.destroy();
  }
}
