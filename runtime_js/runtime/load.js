/**
 * A bundle's URL → a model on the GPU: check, kernels and their known answers, weights.
 *
 * @import { Manifest, Tier } from './manifest.d.ts'
 * @import { Progress, Stats } from '../mdst.d.ts'
 * @import { Kernel } from './pipelines.js'
 */

import { checkAnswers } from './answers.js';
import { fetchJson, fetchKernels, fetchManifest } from './bundle.js';
import { describe, findAdapter, findProblems, unsupported, usableTiers } from './check.js';
import { Device } from './device.js';
import { MdstError, throwIfAborted } from './errors.js';
import { fetchFile } from './fetching.js';
import { Model } from './model.js';
import { compileKernels } from './pipelines.js';
import { Meter } from './meter.js';
import { bindPrograms } from './programs.js';
import { fetchShards, shardsOf } from './shards.js';
import { expandVocabulary, Tokenizer } from './text/tokenizer.js';

const CHAT_TEMPLATE = 'chat_template.json';

/**
 * @typedef {{ device: Device, tier: Tier, kernels: Kernel[], refused: Stats['refused'] }} Ready
 * @typedef {{ model: Model, tokenizer: Tokenizer, template: object | null,
 *   stats: Pick<Stats, 'refused' | 'adapter' | 'load'> }} Loaded
 */

/**
 * @param {URL} base
 * @param {string | undefined} wanted name of a tier
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<Loaded>}
 * @throws {MdstError} of any code but 'context_length_exceeded' and 'unloaded'
 */
export async function loadModel(base, wanted, signal, onProgress) {
  throwIfAborted(signal);
  const own = new AbortController(); // ends the downloads when anything fails
  /** @type {{ device?: Device }} */
  const opened = {};
  /** @type {() => void} */
  let stop = () => {};
  const aborted = new Promise((_, reject) => {
    stop = () => reject(new MdstError('aborted', 'aborted', { cause: signal.reason }));
    signal.addEventListener('abort', stop);
  });
  try {
    const steps = quiet(loadSteps(base, wanted, own.signal, new Meter(onProgress), opened));
    return await /** @type {Promise<Loaded>} */ (Promise.race([steps, aborted]));
  } catch (error) {
    own.abort();
    opened.device?.close();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/**
 * @param {URL} base
 * @param {string | undefined} wanted
 * @param {AbortSignal} signal
 * @param {Meter} meter
 * @param {{ device?: Device }} opened told of the device, to be closed if a step fails
 * @returns {Promise<Loaded>}
 */
async function loadSteps(base, wanted, signal, meter, opened) {
  meter.begin('check');
  const manifest = await fetchManifest(base, signal);
  const adapter = await findAdapter(signal);
  throwIfAborted(signal);
  const problems = findProblems(manifest, adapter, wanted);
  if (adapter === null || problems.length > 0) throw unsupported(problems);
  const info = describe(adapter);

  // From here on the first files of weights are on their way, while kernels compile.
  const vocabulary = quiet(fetchFile(new URL('vocabulary.bin', base), signal));
  const chats = manifest.files.some(({ name }) => name === CHAT_TEMPLATE);
  const template = chats ? quiet(fetchJson(new URL(CHAT_TEMPLATE, base), signal)) : null;
  const shards = fetchShards(manifest, base, signal, (bytes) => meter.count(bytes));
  const ready = await prepare(base, manifest, wanted, adapter, signal, meter, opened);
  const { device, tier, kernels, refused } = ready;
  meter.begin('weights', shardsOf(manifest).reduce((sum, { size }) => sum + size, 0));
  const buffers = await device.buffers(manifest.buffers);
  await upload(device, buffers, shards, meter);
  const programs = bindPrograms(device, manifest, tier, kernels, buffers);
  const tokenizer = new Tokenizer(expandVocabulary(await vocabulary));
  throwIfAborted(signal);
  device.assertUsable();
  meter.begin('ready', meter.bytes);
  const model = new Model(device, manifest, tier, buffers, programs);
  const load = { ...meter.seconds(), bytes: meter.bytes };
  return { model, tokenizer, template: await template, stats: { refused, adapter: info, load } };
}

/**
 * The best tier whose kernels compile and give right answers on this device.
 *
 * @param {URL} base
 * @param {Manifest} manifest
 * @param {string | undefined} wanted
 * @param {GPUAdapter} first
 * @param {AbortSignal} signal
 * @param {Meter} meter
 * @param {{ device?: Device }} opened
 * @returns {Promise<Ready>}
 */
async function prepare(base, manifest, wanted, first, signal, meter, opened) {
  const answers = quiet(fetchJson(new URL('answers.json', base), signal));
  /** @type {Stats['refused']} */
  const refused = [];
  /** @type {GPUAdapter | null} */
  let adapter = first;
  for (const tier of usableTiers(manifest, first, wanted)) {
    meter.begin('kernels', tier.kernels.length);
    const texts = quiet(fetchKernels(base, tier, signal));
    adapter ??= await findAdapter(signal); // an adapter gives one device only
    if (adapter === null) break;
    const device = opened.device = await Device.open(adapter, manifest, tier);
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
 * @param {ReturnType<typeof fetchShards>} shards
 * @param {Meter} meter
 */
async function upload(device, buffers, shards, meter) {
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

/** @template T @param {Promise<T>} promise @returns {Promise<T>} whose failure is told when awaited */
function quiet(promise) {
  promise.catch(() => {});
  return promise;
}
