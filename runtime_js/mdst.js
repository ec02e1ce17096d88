/**
 * Runs a compiled model in a page: `canRun` tells whether it can, `load` gives an engine.
 *
 * @import { Ability, BundleOptions, Engine, LoadOptions } from './mdst.d.ts'
 * @import { Line } from './runtime/engine.js'
 */

import { memoryOf, readManifest } from './runtime/bundle.js';
import { askedFor, describe, findAdapter, findProblems, usableTiers } from './runtime/check.js';
import { engineOver } from './runtime/engine.js';
import { MdstError } from './runtime/errors.js';
import { Caller } from './runtime/rpc.js';
import { downloadOf } from './runtime/shards.js';
import { Folder } from './runtime/storage/folder.js';
import { Store } from './runtime/storage/store.js';

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
export async function canRun({ base, tier, signal } = {}) {
  const store = await Store.open(folderOf(base), true);
  const { manifest } = await readManifest(folderOf(base), store, signal);
  const adapter = await findAdapter(signal);
  const problems = findProblems(manifest, adapter, tier);
  const ok = problems.length === 0;
  return {
    ok,
    tier: adapter !== null && ok ? usableTiers(manifest, adapter, tier)[0].name : null,
    adapter: adapter && describe(adapter),
    problems,
    download: downloadOf(manifest, await store.present()),
    memory: memoryOf(manifest),
    context: manifest.context.window,
    model: manifest.model,
    chat: manifest.files.some(({ name }) => name === CHAT_TEMPLATE),
  };
}

/** @param {LoadOptions} [options] @returns {Promise<Engine>} */
export async function load({ base, worker = true, signal, onProgress, ...options } = {}) {
  const line = worker ? workerLine() ?? (await localLine()) : await localLine();
  const argument = { ...options, base: folderOf(base).href, asked: askedFor() };
  if (options.cache === 'persist') navigator.storage?.persist?.().catch(() => {});
  try {
    await line.call('load', argument, { signal, onPart: onProgress });
  } catch (error) {
    line.end(error instanceof Error ? error : new Error(String(error)));
    const { code, problems = [] } = /** @type {Partial<MdstError>} */ (error);
    const onlyInPages = code === 'unsupported_device' && problems[0]?.what === 'navigator.gpu' &&
      line.worker && globalThis.navigator?.gpu;
    if (!onlyInPages) throw error; // some browsers have WebGPU in pages, but not in workers
    return await load({ ...options, base, worker: false, signal, onProgress });
  }
  return engineOver(line);
}

/** @returns {Promise<void>} */
export async function clearCache() {
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
