/**
 * A model on the GPU: the tier that is fastest there of those that give right answers, and the
 * weights. A small one may turn out to be faster on the CPU.
 *
 * @import { AdapterInfo, Refusal, Tuning } from '../mdst.d.ts'
 * @import { Case } from './answers.js'
 * @import { Running } from './executor.d.ts'
 * @import { Site, Wanted } from './load.js'
 * @import { Plan } from './tuning/plan.js'
 */

import { describe, findAdapter, unsupported } from './check.js';
import { Device } from './device.js';
import { throwIfAborted } from './errors.js';
import { Model } from './model.js';
import { Candidate, isRefusal } from './prepare.js';
import { binderOf, bindPrograms } from './programs.js';
import { quiet } from './promises.js';
import { shardsOf } from './shards.js';
import { makePlan } from './tuning/plan.js';

/**
 * @typedef {{ candidate: Candidate, rivals: Promise<Candidate>[], answers: Record<string, Case[]>,
 *   refused: Refusal[] }} Ready
 * @typedef {{ model: Running, tuning: Tuning }} Timed
 */

/**
 * @param {Site} site
 * @param {GPUAdapter} adapter
 * @param {Wanted} wanted
 * @returns {Promise<Timed & { adapter: AdapterInfo | null, refused: Refusal[] }>}
 */
export async function openGpu(site, adapter, wanted) {
  const { manifest, meter } = site;
  const plan = await makePlan(wanted, manifest, site.text, adapter);
  const { known } = plan;
  if (plan.cpu && known !== null && manifest.wasm.some(({ name }) => name === known.tuning.tier)) {
    const { openKept } = await import('./tuning/cpu.js');
    const kept = await openKept(site, wanted, known);
    if (kept !== null) return kept;
  }
  const ready = await prepare(site, plan, adapter);
  const { candidate, candidate: { device, kernels, programs }, refused } = ready;
  meter.begin('weights', shardsOf(manifest).reduce((sum, { size }) => sum + size, 0));
  const buffers = await device.buffers(manifest.buffers);
  const timing = quiet(timed(site, wanted, plan, ready));
  await upload(device, buffers, site);
  const bound = bindPrograms(programs, binderOf(device, manifest, kernels, buffers));
  const own = new Model(device, manifest, candidate.tier, buffers, bound);
  meter.time();
  const { model, tuning } = await (await timing)(own);
  return { model, adapter: model === own ? describe(adapter) : null, tuning, refused };
}

/**
 * The first tier of a plan whose kernels compile and give right answers on this device.
 *
 * @param {Site} site
 * @param {Plan} plan
 * @param {GPUAdapter} first
 * @returns {Promise<Ready>}
 */
async function prepare({ files, manifest, signal, meter, opened }, plan, first) {
  const reading = quiet(files.json('answers.json'));
  const refused = [...plan.known?.refused ?? []];
  /** @type {Refusal[]} */
  const failed = [];
  /** @type {GPUAdapter | null} */
  let adapter = first;
  for (const tier of plan.tiers) {
    meter.begin('kernels', tier.kernels.length);
    const texts = quiet(files.kernels(tier));
    adapter ??= await findAdapter(signal); // an adapter gives one device only
    if (adapter === null) break;
    const group = plan.group(tier);
    const device = await Device.open(adapter, manifest, group);
    opened.close = () => device.close();
    try {
      throwIfAborted(signal);
      const candidate = new Candidate(device, tier, await texts, plan.programs(tier));
      await candidate.build(candidate.programs, () => meter.advance());
      const answers = await reading;
      await candidate.check(answers, signal);
      throwIfAborted(signal);
      const rivals = group.slice(1).map(async (tier) =>
        new Candidate(device, tier, await files.kernels(tier))
      );
      rivals.forEach(quiet);
      return { candidate, rivals, answers, refused: [...refused, ...failed] };
    } catch (error) {
      device.close();
      if (!isRefusal(error)) throw error;
      adapter = null;
      failed.push({ tier: tier.name, program: null, reason: error.message });
    }
  }
  throw unsupported(failed.map(({ tier, reason }) => (
    { what: `tier ${tier}`, needed: 'right answers', found: 'a failure', message: reason }
  )));
}

/**
 * Begins what has to be done for timing, if it is due, while weights arrive.
 *
 * @param {Site} site
 * @param {Wanted} wanted
 * @param {Plan} plan
 * @param {Ready} ready
 * @returns {Promise<(model: Model) => Promise<Timed>>} leaves the fastest kernels in the model, or
 *   gives one on the CPU
 */
async function timed(site, wanted, plan, ready) {
  const { candidate, rivals, refused } = ready;
  if (plan.timed && rivals.length + candidate.decode.length > 1) {
    const { prepareTuning } = await import('./tuning/race.js');
    return await prepareTuning(site, wanted, plan, ready);
  }
  return (model) => {
    refused.push(...candidate.refused);
    return Promise.resolve({ model, tuning: plan.tuning(candidate) });
  };
}

/**
 * @param {Device} device
 * @param {GPUBuffer[]} buffers
 * @param {Site} site
 */
async function upload(device, buffers, { shards, meter }) {
  let before = Promise.resolve();
  for await (const { shard, bytes } of shards) {
    await before; // what was written must not pile up on its way to the GPU
    device.queue.writeBuffer(buffers[shard.buffer], shard.offset, bytes);
    device.queue.submit([]);
    before = quiet(device.finished());
    meter.file();
  }
  await before;
}
