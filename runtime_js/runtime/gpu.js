/**
 * A model on the GPU: the best tier that gives right answers there, its kernels, and the weights.
 *
 * @import { Tier } from './manifest.d.ts'
 * @import { AdapterInfo, Stats } from '../mdst.d.ts'
 * @import { Site } from './load.js'
 * @import { Kernel } from './pipelines.js'
 */

import { checkAnswers } from './answers.js';
import { describe, findAdapter, unsupported, usableTiers } from './check.js';
import { Device } from './device.js';
import { MdstError, throwIfAborted } from './errors.js';
import { Model } from './model.js';
import { compileKernels } from './pipelines.js';
import { bindPrograms } from './programs.js';
import { quiet } from './promises.js';
import { shardsOf } from './shards.js';

/** @typedef {{ device: Device, tier: Tier, kernels: Kernel[], refused: Stats['refused'] }} Ready */

/**
 * @param {Site} site
 * @param {GPUAdapter} adapter
 * @param {string | undefined} tier name of the one that is wanted
 * @returns {Promise<{ model: Model, adapter: AdapterInfo, refused: Stats['refused'] }>}
 */
export async function openGpu(site, adapter, tier) {
  const { manifest, meter } = site;
  const { device, refused, ...ready } = await prepare(site, adapter, tier);
  meter.begin('weights', shardsOf(manifest).reduce((sum, { size }) => sum + size, 0));
  const buffers = await device.buffers(manifest.buffers);
  await upload(device, buffers, site);
  const programs = bindPrograms(device, manifest, ready.tier, ready.kernels, buffers);
  const model = new Model(device, manifest, ready.tier, buffers, programs);
  return { model, adapter: describe(adapter), refused };
}

/**
 * The best tier whose kernels compile and give right answers on this device.
 *
 * @param {Site} site
 * @param {GPUAdapter} first
 * @param {string | undefined} wanted name of a tier
 * @returns {Promise<Ready>}
 */
async function prepare({ files, manifest, signal, meter, opened }, first, wanted) {
  const answers = quiet(files.json('answers.json'));
  /** @type {Stats['refused']} */
  const refused = [];
  /** @type {GPUAdapter | null} */
  let adapter = first;
  for (const tier of usableTiers(manifest, first, wanted)) {
    meter.begin('kernels', tier.kernels.length);
    const texts = quiet(files.kernels(tier));
    adapter ??= await findAdapter(signal); // an adapter gives one device only
    if (adapter === null) break;
    const device = await Device.open(adapter, manifest, tier);
    opened.close = () => device.close();
    try {
      throwIfAborted(signal);
      const kernels = await compileKernels(device, tier, await texts, () => meter.advance());
      await checkAnswers(device, kernels, await answers, signal);
      throwIfAborted(signal);
      return { device, tier, kernels, refused };
    } catch (error) {
      device.close();
      if (!(error instanceof MdstError) || error.code !== 'unsupported_device') throw error;
      adapter = null;
      refused.push({ tier: tier.name, reason: error.message });
    }
  }
  throw unsupported(refused.map(({ tier, reason }) => (
    { what: `tier ${tier}`, needed: 'right answers', found: 'a failure', message: reason }
  )));
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
