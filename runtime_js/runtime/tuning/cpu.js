/**
 * A model that is small enough for a CPU to be faster: its module is timed too, on the weights that
 * the GPU has already.
 *
 * @import { AdapterInfo, Refusal, Tuning } from '../../mdst.d.ts'
 * @import { Running } from '../executor.d.ts'
 * @import { Site, Wanted } from '../load.js'
 * @import { Model } from '../model.js'
 * @import { WasmModel } from '../wasm/model.js'
 * @import { Found } from './kept.js'
 */

import { findCpu } from '../devices.js';
import { throwIfAborted } from '../errors.js';
import { Meter } from '../meter.js';
import { shardsOf } from '../shards.js';
import { openCpu } from '../wasm/open.js';
import { decide } from './decide.js';
import { leaveText } from './stopwatch.js';

const FASTEST = 50_000; // bytes of weights per microsecond that no CPU in a page gets through
const WARM = 60; // milliseconds in which engines turn to their fast code
const ENOUGH = 150; // milliseconds in all
const SPAN = 10; // of one run
const PROGRAM = 'decode';

/**
 * @param {Site} site
 * @param {Wanted} wanted
 * @param {Model} model on the GPU
 * @param {Tuning} tuning of it
 * @param {Refusal[]} refused gets the module if it fails
 * @returns {Promise<{ model: Running, tuning: Tuning }>} what is faster; the other one is closed
 */
export async function raceCpu(site, wanted, model, tuning, refused) {
  const times = tuning.times.filter(({ tier }) => tier === tuning.tier);
  const found = { model, tuning };
  if (!times.some(({ microseconds }) => FASTEST * microseconds > bytesOf(model))) return found;
  const { cpu } = await findCpu(site.manifest, wanted);
  if (cpu === null) return found;
  const started = performance.now();
  const { name } = cpu.module;
  /** @type {{ close?: () => void }} */
  const opened = {};
  site.opened.close = () => {
    model.device.close();
    opened.close?.();
  };
  try {
    const meter = new Meter(() => {});
    const rival = await openCpu({ ...site, opened, meter, shards: shardsOn(model) }, cpu);
    const microseconds = await timeOf(rival, tuning.position);
    throwIfAborted(site.signal);
    const all = [...tuning.times, { tier: name, program: PROGRAM, microseconds }];
    const { tier, programs } = decide(all, [tuning, { tier: name, programs: [PROGRAM] }]);
    (tier === name ? model : rival).close();
    const milliseconds = tuning.milliseconds + performance.now() - started;
    const decided = { ...tuning, tier, programs, times: all, milliseconds };
    return { model: tier === name ? rival : model, tuning: decided };
  } catch (error) {
    opened.close?.();
    throwIfAborted(site.signal);
    model.assertUsable();
    const { message } = /** @type {Error} */ (error);
    refused.push({ tier: name, program: null, reason: message });
    return found;
  }
}

/**
 * The module that was fastest in an earlier load.
 *
 * @param {Site} site
 * @param {Wanted} wanted
 * @param {Found} found
 * @returns {Promise<{ model: Running, adapter: AdapterInfo | null, tuning: Tuning,
 *   refused: Refusal[] } | null>} null where it cannot be had now
 */
export async function openKept(site, wanted, { tuning, refused }) {
  const { cpu } = await findCpu(site.manifest, wanted);
  if (cpu?.module.name !== tuning.tier) return null;
  const model = await openCpu(site, cpu).catch((error) => {
    throwIfAborted(site.signal);
    if (site.meter.files > 0) throw error; // which do not come again
    return null;
  });
  return model && { model, adapter: null, tuning: { ...tuning, source: 'kept' }, refused };
}

/** @param {Model} model @returns {number} of weights that a token reads */
function bytesOf({ manifest: { buffers, views }, tier }) {
  const decode = tier.programs.filter(({ phase }) => phase === 'decode');
  const read = decode[0].steps.filter(({ label }) => label !== 'embedding');
  return [...new Set(read.flatMap((step) => step.views))]
    .map((view) => views[view])
    .filter(({ buffer }) => buffers[buffer].kind === 'weights')
    .reduce((sum, { size }) => sum + size, 0);
}

/** Weights as they come from files. @param {Model} model @returns {Site['shards']} */
async function* shardsOn({ device, manifest, buffers }) {
  for (const shard of shardsOf(manifest)) {
    const readback = device.readbackBuffer(shard.size);
    const encoder = device.gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(buffers[shard.buffer], shard.offset, readback, 0, shard.size);
    device.queue.submit([encoder.finish()]);
    yield { shard, bytes: new Uint8Array(await device.read(readback, shard.size)) };
    readback.destroy();
  }
}

/**
 * @param {WasmModel} model
 * @param {number} position of the tokens that are timed
 * @returns {Promise<number>} microseconds of a token
 */
async function timeOf(model, position) {
  leaveText(model);
  const { window } = model.manifest.context;
  const most = Math.max(1, Math.min(model.mostSteps, window - position));
  const started = performance.now();
  const sum = { time: 0, tokens: 0 };
  for (let count = 1;;) {
    const spent = performance.now() - started;
    if (spent >= ENOUGH && sum.tokens > 0) break;
    const tokens = count;
    model.place(position, [0]);
    const time = await model.work(({ decode }) => {
      const begun = performance.now();
      for (let i = 0; i < tokens; i += 1) decode();
      return performance.now() - begun;
    });
    if (spent >= WARM) {
      sum.time += time;
      sum.tokens += tokens;
    }
    if (time < SPAN) count = Math.min(most, 2 * count);
  }
  model.cache.clear();
  return 1000 * sum.time / sum.tokens;
}
