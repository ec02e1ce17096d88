/**
 * Runs a compiled model in a page: `canRun` tells whether it can, `load` gives an engine.
 *
 * @import { Ability, BundleOptions, Engine, LoadOptions } from './mdst.d.ts'
 * @import { Line } from './runtime/engine.js'
 */

import { memoryOf, readManifest } from './runtime/bundle.js';
import { askedFor, describe, usableTiers } from './runtime/check.js';
import { findDevice, readDevice } from './runtime/devices.js';
import { engineOver } from './runtime/engine.js';
import { MdstError } from './runtime/errors.js';
import { Caller } from './runtime/rpc.js';
import { downloadOf } from './runtime/shards.js';
import { Folder } from './runtime/storage/folder.js';
import { Store } from './runtime/storage/store.js';
import { forgetAll } from './runtime/tuning/kept.js';

export { MdstError };

const CHAT_TEMPLATE = 'chat_template.json';

/** @param {string | URL | undefined} base @returns {URL} ending in a slash; default: this folder */
function folderOf(base) {
  if (base === undefined) return new URL('.', import.meta.url);
  const url = new URL(base, globalThis.document?.baseURI ?? import.meta.url);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** @param {BundleOptions} [options] @returns {Promise<Ability>} */
export async function canRun({ base, tier, signal, ...given } = {}) {
  const device = readDevice(given);
  const store = await Store.open(folderOf(base), true);
  const { manifest } = await readManifest(folderOf(base), store, signal);
  const wanted = { device, tier, threads: given.threads, worker: true };
  const { choice, gpu, problems } = await findDevice(manifest, wanted, signal);
  const cpu = choice?.cpu;
  const tiers = choice?.adapter ? usableTiers(manifest, choice.adapter, tier) : [];
  return {
    ok: choice !== null,
    device: choice && (cpu ? 'wasm' : 'webgpu'),
    tier: cpu?.module.name ?? tiers[0]?.name ?? null,
    threads: cpu?.threads ?? 0,
    notice: cpu?.notice ?? null,
    refused: choice?.refused ?? [],
    adapter: gpu && describe(gpu),
    problems,
    download: downloadOf(manifest, await store.present()),
    memory: memoryOf(manifest, cpu?.module),
    context: manifest.context.window,
    model: manifest.model,
    chat: manifest.files.some(({ name }) => name === CHAT_TEMPLATE),
  };
}

/** @param {LoadOptions} [options] @returns {Promise<Engine>} */
export async function load(options = {}) {
  try {
    return await loadOnce(options);
  } catch (error) {
    const { code, problems = [] } = /** @type {Partial<MdstError>} */ (error);
    const missing = code === 'unsupported_device' && problems[0]?.what === 'navigator.gpu';
    if (!missing || !globalThis.navigator?.gpu) throw error;
  }
  const { device } = await canRun(options);
  try { // some browsers have WebGPU in pages, but not in workers
    const here = { ...options, device: /** @type {const} */ ('webgpu'), worker: false };
    if (device !== 'wasm') return await loadOnce(here);
  } catch (error) {
    const { code } = /** @type {Partial<MdstError>} */ (error);
    if (options.device === 'webgpu' || code !== 'unsupported_device') throw error;
  }
  return await loadOnce({ ...options, device: 'wasm' });
}

/** @param {LoadOptions} options @returns {Promise<Engine>} */
async function loadOnce({ base, worker = true, signal, onProgress, ...options }) {
  const line = worker ? workerLine() ?? (await localLine()) : await localLine();
  const known = { asked: askedFor(), worker: line.worker, gpuInPage: 'gpu' in navigator };
  const argument = { ...options, ...known, base: folderOf(base).href };
  if (options.cache === 'persist') navigator.storage?.persist?.().catch(() => {});
  try {
    await line.call('load', argument, { signal, onPart: onProgress });
    return engineOver(line);
  } catch (error) {
    line.end(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

/** @returns {Promise<void>} */
export async function clearCache() {
  await forgetAll();
  await Folder.removeAll();
}

/** @returns {Line | null} null where a page may not start our worker */
function workerLine() {
  try {
    const url = new URL('./runtime/worker.js', import.meta.url);
    const caller = new Caller(new Worker(url, { type: 'module', name: 'mdst' }));
    return {
      call: (method, argument, options) => caller.call(method, argument, options),
      end: (error) => caller.end(error),
      worker: true,
    };
  } catch {
    return null;
  }
}

/** @returns {Promise<Line>} */
async function localLine() {
  const { dispatch, Service } = await import('./runtime/service.js');
  const service = new Service();
  const never = new AbortController().signal;
  return {
    call: (method, argument, { signal, onPart = () => {} } = {}) =>
      dispatch(service, { method, argument }, { signal: signal ?? never, onPart }),
    end: () => {},
    worker: false,
  };
}
