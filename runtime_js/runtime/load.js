/**
 * A bundle's URL → a model on the GPU: check, kernels and their known answers, weights.
 *
 * @import { Manifest, Tier } from './manifest.d.ts'
 * @import { Progress, Stats } from '../mdst.d.ts'
 * @import { Kernel } from './pipelines.js'
 * @import { ChatTemplates } from './template/chat_template.js'
 */

import { checkAnswers } from './answers.js';
import { Files, readManifest, wasReplaced } from './bundle.js';
import { describe, findAdapter, findProblems, unsupported, usableTiers } from './check.js';
import { Device } from './device.js';
import { MdstError, throwIfAborted } from './errors.js';
import { Model } from './model.js';
import { compileKernels } from './pipelines.js';
import { Meter } from './meter.js';
import { bindPrograms } from './programs.js';
import { fetchShards, shardsOf } from './shards.js';
import { using } from './storage/locks.js';
import { Source } from './storage/source.js';
import { hashesOf, Store } from './storage/store.js';
import { openTokenizer } from './text/tokenizer.js';

const CHAT_TEMPLATE = 'chat_template.json';

/**
 * @typedef {object} Wanted
 * @property {URL} base
 * @property {string} [tier]
 * @property {boolean} cache whether files are read from the browser's storage, and kept there
 * @property {number} [asked] milliseconds for which the page knows whether there is an adapter
 *
 * @typedef {{ device: Device, tier: Tier, kernels: Kernel[], refused: Stats['refused'] }} Ready
 * @typedef {Pick<Stats, 'refused' | 'adapter' | 'cache' | 'load'>} LoadStats
 * @import { Tokenizer } from './text/tokenizer.js'
 * @typedef {{ model: Model, tokenizer: Tokenizer, template: ChatTemplates | null,
 *   stats: LoadStats }} Loaded
 *
 * What is to be undone or said when a step fails:
 * @typedef {{ device?: Device, manifest?: string }} Opened
 */

/**
 * @param {Wanted} wanted
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<Loaded>}
 * @throws {MdstError} of any code but 'context_length_exceeded' and 'unloaded'
 */
export async function loadModel(wanted, signal, onProgress) {
  throwIfAborted(signal);
  const own = new AbortController(); // ends the downloads when anything fails
  /** @type {Opened} */
  const opened = {};
  /** @type {() => void} */
  let stop = () => {};
  const aborted = new Promise((_, reject) => {
    stop = () => reject(new MdstError('aborted', 'aborted', { cause: signal.reason }));
    signal.addEventListener('abort', stop);
  });
  try {
    const store = await Store.open(wanted.base, wanted.cache);
    const meter = new Meter(onProgress);
    const steps = quiet(using(() => loadSteps(wanted, store, own.signal, meter, opened)));
    const loaded = await /** @type {Promise<Loaded>} */ (Promise.race([steps, aborted]));
    quiet(steps.then(() => store.tidy()));
    return loaded;
  } catch (error) {
    own.abort();
    opened.device?.close();
    throw await explained(error, wanted.base, opened.manifest);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** @param {unknown} error @param {URL} base @param {string} [manifest] that the load began with */
async function explained(error, base, manifest) {
  const { code, message } = /** @type {MdstError} */ (error);
  const ofFile = code === 'download_failed' || code === 'integrity';
  if (!ofFile || manifest === undefined || !await wasReplaced(base, manifest)) return error;
  const reason = `the site was updated while the model was loaded: reload the page (${message})`;
  return new MdstError(code, reason, { cause: error });
}

/**
 * @param {Wanted} wanted
 * @param {Store} store
 * @param {AbortSignal} signal
 * @param {Meter} meter
 * @param {Opened} opened
 * @returns {Promise<Loaded>}
 */
async function loadSteps({ base, tier: name, asked }, store, signal, meter, opened) {
  meter.begin('check');
  const { manifest, text, offline } = await readManifest(base, store, signal);
  opened.manifest = text;
  const adapter = await findAdapter(signal, asked);
  throwIfAborted(signal);
  const problems = findProblems(manifest, adapter, name);
  if (adapter === null || problems.length > 0) throw unsupported(problems);

  // From here on the first files of weights are on their way, while kernels compile.
  await store.remember(text, hashesOf(manifest));
  const source = new Source(store, signal);
  const files = new Files(manifest, base, source);
  const texts = Promise.all([
    files.bytes('vocabulary.bin'),
    files.has(CHAT_TEMPLATE) ? files.json(CHAT_TEMPLATE) : null,
  ]);
  const onBytes = (/** @type {number} */ bytes, /** @type {boolean} */ cached) =>
    meter.count(bytes, cached);
  const { shards, failed } = fetchShards(manifest, base, source, onBytes);
  const work = async () => {
    const { device, tier, kernels, refused } = await prepare(
      files,
      manifest,
      name,
      adapter,
      signal,
      meter,
      opened,
    );
    meter.begin('weights', shardsOf(manifest).reduce((sum, { size }) => sum + size, 0));
    const buffers = await device.buffers(manifest.buffers);
    await upload(device, buffers, shards, meter);
    const programs = bindPrograms(device, manifest, tier, kernels, buffers);
    const [vocabulary, template] = await texts;
    const tokenizer = await openTokenizer(vocabulary.buffer);
    throwIfAborted(signal);
    device.assertUsable();
    meter.begin('ready', meter.bytes);
    const model = new Model(device, manifest, tier, buffers, programs);
    const load = { ...meter.seconds(), bytes: meter.bytes, cached_bytes: meter.cached };
    const cache = { kept: store.keeps, notice: store.notice, offline, healed: source.healed };
    const stats = { refused, adapter: describe(adapter), cache, load };
    return { model, tokenizer, template, stats };
  };
  return await Promise.race([quiet(work()), failed, failureOf(texts)]);
}

/** @param {Promise<unknown>} promise @returns {Promise<never>} its failure, if it comes */
function failureOf(promise) {
  return new Promise((_, reject) => promise.catch(reject));
}

/**
 * The best tier whose kernels compile and give right answers on this device.
 *
 * @param {Files} files
 * @param {Manifest} manifest
 * @param {string | undefined} wanted name of a tier
 * @param {GPUAdapter} first
 * @param {AbortSignal} signal
 * @param {Meter} meter
 * @param {Opened} opened
 * @returns {Promise<Ready>}
 */
async function prepare(files, manifest, wanted, first, signal, meter, opened) {
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
 * @param {ReturnType<typeof fetchShards>['shards']} shards
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
