/**
 * How long each step of a token takes on the GPU: by the GPU's own clock where it may be read, else
 * by timing layers and kinds of steps one after another.
 *
 * @import { Profile, Timing } from '../mdst.d.ts'
 * @import { Model } from './model.js'
 * @import { Dispatch } from './programs.js'
 */

import { encode, reaching } from './programs.js';
import { leaveText } from './tuning/stopwatch.js';

const MAP_READ = 0x1; // GPUBufferUsage
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const QUERY_RESOLVE = 0x200;

const LONG = 500; // milliseconds that all tokens together may take
const MOST_TOKENS = 64;
const SUBMIT = 50; // milliseconds that a submit may take
const LEAST = 10; // milliseconds that are worth timing from outside
const MOST_REPEATS = 1024;

/** @typedef {{ label: string, dispatch: Dispatch }} Step */

/**
 * Runs tokens that belong to no text; afterwards the cache counts as empty.
 *
 * @param {Model} model
 * @returns {Promise<Profile>}
 */
export async function profileDecode(model) {
  const { context } = model.manifest;
  // Attention takes as long as the text is that is there.
  const position = Math.min(Math.max(model.cache.ids.length, 1), context.window - 1);
  leaveText(model);
  const { reach, steps: dispatches } = reaching(model.programs.decode, position + 1);
  const program = model.tier.programs.find((one) => one.phase === 'decode' && one.reach === reach);
  const steps = dispatches.map((dispatch, i) => (
    { label: program?.steps[i].label ?? '', dispatch }
  ));
  try {
    return model.device.gpu.features.has('timestamp-query')
      ? await byTimestamps(model, steps, position)
      : await byClock(model, steps, position);
  } finally {
    model.cache.clear();
  }
}

/**
 * Browsers make the GPU's clock coarse (Chrome: 65 µs), so steps are averages over many tokens.
 *
 * @param {Model} model
 * @param {Step[]} steps
 * @param {number} position
 * @returns {Promise<Profile>}
 */
async function byTimestamps(model, steps, position) {
  const { gpu, queue } = model.device;
  const bytes = 16 * steps.length;
  const stride = Math.ceil(bytes / 256) * 256;
  const querySet = gpu.createQuerySet({ type: 'timestamp', count: 2 * steps.length });
  const size = stride * MOST_TOKENS;
  const resolved = gpu.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
  const buffer = gpu.createBuffer({ size, usage: MAP_READ | COPY_DST });
  let parts = 1;
  /** @param {number} token */
  const run = (token) => {
    model.place(position, [0]);
    const most = Math.ceil(steps.length / parts);
    for (let from = 0; from < steps.length; from += most) {
      const encoder = gpu.createCommandEncoder();
      steps.slice(from, from + most).forEach(({ dispatch }, i) => {
        const beginningOfPassWriteIndex = 2 * (from + i);
        const endOfPassWriteIndex = beginningOfPassWriteIndex + 1;
        const timestampWrites = { querySet, beginningOfPassWriteIndex, endOfPassWriteIndex };
        encode(encoder, [dispatch], 1, { timestampWrites });
      });
      if (from + most >= steps.length) {
        encoder.resolveQuerySet(querySet, 0, 2 * steps.length, resolved, stride * token);
      }
      queue.submit([encoder.finish()]);
    }
  };
  try {
    const first = await timed(model, () => run(0)); // the GPU may have to wake up
    parts = Math.ceil(first / SUBMIT);
    const tokens = Math.min(Math.max(Math.floor(LONG / first), 1), MOST_TOKENS);
    for (let token = 0; token < tokens; token += 1) run(token);
    const encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(resolved, 0, buffer, 0, size);
    queue.submit([encoder.finish()]);
    const data = await model.device.read(buffer, size);
    const all = steps.map(({ label }, i) => {
      let nanoseconds = 0;
      for (let token = 0; token < tokens; token += 1) {
        const [begin, end] = new BigUint64Array(data, stride * token + 16 * i, 2);
        nanoseconds += Math.max(0, Number(end - begin));
      }
      return { label, microseconds: nanoseconds / tokens / 1000, steps: 1 };
    });
    return {
      method: 'timestamps',
      tokens,
      microseconds: all.reduce((sum, { microseconds }) => sum + microseconds, 0),
      layers: grouped(all, layerOf),
      kernels: grouped(all, kindOf),
    };
  } finally {
    querySet.destroy();
    resolved.destroy();
    buffer.destroy();
  }
}

/**
 * @param {Model} model
 * @param {Step[]} steps
 * @param {number} position
 * @returns {Promise<Profile>}
 */
async function byClock(model, steps, position) {
  await timed(model, () => model.submit([])); // the first wait is longer
  const idle = await timed(model, () => model.submit([]));
  /** @param {(label: string) => string} key @returns {Promise<Timing[]>} */
  const measured = async (key) => {
    const timings = [];
    for (const [label, group] of Map.groupBy(steps, (step) => key(step.label))) {
      const dispatches = group.map(({ dispatch }) => dispatch);
      for (let repeat = 1;; repeat *= 4) {
        const time = await timed(model, () => {
          model.place(position, [0]);
          model.submit(dispatches, repeat);
        }) - idle;
        if (time < LEAST && repeat < MOST_REPEATS) continue;
        const microseconds = Math.max(0, 1000 * time / repeat);
        timings.push({ label, microseconds, steps: group.length });
        break;
      }
    }
    return timings;
  };
  const layers = await measured(layerOf);
  const microseconds = layers.reduce((sum, { microseconds }) => sum + microseconds, 0);
  const kernels = (await measured(kindOf)).sort((a, b) => b.microseconds - a.microseconds);
  return { method: 'clock', tokens: 1, microseconds, layers, kernels };
}

/** @param {Model} model @param {() => void} work @returns {Promise<number>} milliseconds */
async function timed(model, work) {
  const started = performance.now();
  work();
  await model.device.finished();
  return performance.now() - started;
}

/**
 * @param {Timing[]} all of steps
 * @param {(label: string) => string} key
 * @returns {Timing[]} sums; layers in their order, kinds of steps the longest first
 */
function grouped(all, key) {
  const sums = [...Map.groupBy(all, ({ label }) => key(label))].map(([label, group]) => ({
    label,
    microseconds: group.reduce((sum, { microseconds }) => sum + microseconds, 0),
    steps: group.length,
  }));
  return key === kindOf ? sums.sort((a, b) => b.microseconds - a.microseconds) : sums;
}

/** @param {string} label `blk.3.qkv` → `blk.3`; what is in no layer → its first word */
function layerOf(label) {
  return /^blk\.\d+/.exec(label)?.[0] ?? label.split('.')[0];
}

/** @param {string} label `blk.3.qkv` → `qkv` */
function kindOf(label) {
  return label.replace(/^blk\.\d+\./, '');
}
