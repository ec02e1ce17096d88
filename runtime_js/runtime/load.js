/**
 * A bundle's URL → a model on the GPU or the CPU, ready to generate.
 *
 * @import { Choice } from './devices.js'
 * @import { Running } from './executor.d.ts'
 * @import { Manifest } from './manifest.d.ts'
 * @import { AdapterInfo, DeviceName, LoadOptions, Progress, Refusal, Stats, Tuning } from '../mdst.d.ts'
 * @import { ChatTemplates } from './template/chat_template.js'
 * @import { Tokenizer } from './text/tokenizer.js'
 * @import { Found } from './tuning/kept.js'
 * @import { Cpu } from './wasm/modules.js'
 */

import { Files, readManifest, wasReplaced } from './bundle.js';
import { readNumber } from './checks.js';
import { chooseDevice, findCpu } from './devices.js';
import { MdstError, throwIfAborted } from './errors.js';
import { Meter } from './meter.js';
import { failureOf, quiet } from './promises.js';
import { fetchShards } from './shards.js';
import { using } from './storage/locks.js';
import { Source } from './storage/source.js';
import { hashesOf, Store } from './storage/store.js';
import { openTokenizer } from './text/tokenizer.js';

const CHAT_TEMPLATE = 'chat_template.json';

/** Failures of a device after which another one may still do. */
const OF_THE_DEVICE = ['unsupported_device', 'out_of_memory', 'device_lost'];

/**
 * @typedef {object} Wanted
 * @property {URL} base
 * @property {'auto' | DeviceName} device
 * @property {string} [tier]
 * @property {LoadOptions['profile']} [profile]
 * @property {Found} [found] what was chosen in a load before
 * @property {number} [threads] of a CPU
 * @property {boolean} worker whether this is a worker, which may wait for others
 * @property {boolean} [gpuInPage] whether the page has WebGPU, if this worker has not
 * @property {boolean} cache whether files are read from the browser's storage, and kept there
 * @property {number | null} [sinks] tokens that stay when the context is full
 * @property {number} [asked] milliseconds for which the page knows whether there is an adapter
 *
 * @typedef {Pick<Stats, 'refused' | 'tuning' | 'adapter' | 'cache' | 'load'>} LoadStats
 * @typedef {{ model: Running, tokenizer: Tokenizer, template: ChatTemplates | null, sinks: number,
 *   stats: LoadStats }} Loaded
 *
 * What is to be undone or said when a step fails:
 * @typedef {{ close?: () => void, manifest?: string }} Opened
 *
 * What a device needs to take the model:
 * @typedef {{ manifest: Manifest, text: string, files: Files, meter: Meter, signal: AbortSignal, opened: Opened,
 *   shards: ReturnType<typeof fetchShards>['shards'] }} Site
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
    opened.close?.();
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
async function loadSteps(wanted, store, signal, meter, opened) {
  const { base } = wanted;
  meter.begin('check');
  const { manifest, text, offline } = await readManifest(base, store, signal);
  opened.manifest = text;
  const { sinks: usual, max_sinks: most } = manifest.context;
  const sinks = readNumber('sinks', wanted.sinks, { usual, least: 0, most, whole: true });
  const choice = await chooseDevice(manifest, wanted, signal);
  throwIfAborted(signal);

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
    const site = { manifest, text, files, meter, signal, opened, shards };
    const { model, adapter, tuning, refused } = await open(site, choice, wanted);
    const [vocabulary, template] = await texts;
    const tokenizer = await openTokenizer(vocabulary.buffer);
    throwIfAborted(signal);
    model.assertUsable();
    meter.begin('ready', meter.bytes);
    const load = { ...meter.seconds(), bytes: meter.bytes, cached_bytes: meter.cached };
    const cache = { kept: store.keeps, notice: store.notice, offline, healed: source.healed };
    return { model, tokenizer, template, sinks, stats: { refused, tuning, adapter, cache, load } };
  };
  return await Promise.race([quiet(work()), failed, failureOf(texts)]);
}

/**
 * @param {Site} site
 * @param {Choice} choice
 * @param {Wanted} wanted
 * @returns {Promise<{ model: Running, adapter: AdapterInfo | null, tuning: Tuning | null,
 *   refused: Refusal[] }>}
 */
async function open(site, { adapter, cpu, refused, spare }, wanted) {
  const onCpu = async (/** @type {Cpu} */ how) => {
    const { openCpu } = await import('./wasm/open.js');
    return { model: await openCpu(site, how), adapter: null, tuning: null, refused };
  };
  const onGpu = async (/** @type {GPUAdapter} */ gpu) => {
    const { openGpu } = await import('./gpu.js');
    return await openGpu(site, gpu, wanted);
  };
  try {
    return await (cpu === null ? onGpu(/** @type {GPUAdapter} */ (adapter)) : onCpu(cpu));
  } catch (error) {
    const { code, message } = /** @type {MdstError} */ (error);
    if (!spare || !OF_THE_DEVICE.includes(code) || site.meter.files > 0) throw error;
    const other = cpu === null ? (await findCpu(site.manifest, wanted)).cpu : adapter;
    if (other === null) throw error;
    site.opened.close?.();
    const done = await ('module' in other ? onCpu(other) : onGpu(other));
    const failed = { tier: cpu?.module.name ?? 'webgpu', program: null, reason: message };
    return { ...done, refused: [failed, ...done.refused] };
  }
}
