/**
 * Whether a device can run a bundle, in numbers, before anything is downloaded.
 *
 * @import { Manifest, Tier } from './manifest.d.ts'
 * @import { AdapterInfo, Problem } from '../mdst.d.ts'
 */

import { MdstError } from './errors.js';
import { sleep } from './fetching.js';

/** WebGPU's default limits, on which all kernels rely. */
const LEAST = /** @type {const} */ ({
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupsPerDimension: 65_535,
});

const NO_ADAPTER = 3000; // milliseconds in which an adapter may still turn up
const ONLY_A_CPU = 400; // and in which a GPU may still take the place of a CPU
const PAUSE = 200;

/**
 * When this page or worker first asked for an adapter: the browser has had time since.
 *
 * @type {WeakMap<GPU, number>}
 */
const FIRST_ASKED = new WeakMap();

/** @returns {number} milliseconds since the first call of `findAdapter`, 0 before it */
export function askedFor() {
  const first = navigator.gpu && FIRST_ASKED.get(navigator.gpu);
  return first === undefined ? 0 : performance.now() - first;
}

/**
 * Chrome's first answers can be null, or a CPU although there is a GPU.
 *
 * @param {AbortSignal} [signal]
 * @param {number} [asked] milliseconds since the page asked first, in another thread
 * @returns {Promise<GPUAdapter | null>}
 */
export async function findAdapter(signal, asked = 0) {
  const gpu = navigator.gpu;
  if (!gpu) return null;
  const started = FIRST_ASKED.get(gpu) ?? performance.now() - asked;
  FIRST_ASKED.set(gpu, started);
  for (;;) {
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    const limit = adapter === null ? NO_ADAPTER : isFallback(adapter) ? ONLY_A_CPU : 0;
    if (performance.now() - started >= limit || signal?.aborted) return adapter;
    await sleep(PAUSE, signal);
  }
}

/** @param {GPUAdapter} adapter @returns {boolean} whether it is a CPU that plays a GPU */
export function isFallback(adapter) {
  const { isFallbackAdapter, architecture } = adapter.info;
  return isFallbackAdapter === true || architecture === 'swiftshader';
}

/** @param {GPUAdapter} adapter @returns {AdapterInfo} */
export function describe(adapter) {
  const { vendor, architecture, description } = adapter.info;
  return { vendor, architecture, description, fallback: isFallback(adapter) };
}

/**
 * @param {Manifest} manifest
 * @param {Tier[]} [tiers]
 * @returns {Record<string, number>} the device limits that a bundle, or these tiers of it, need;
 *   WebGPU gives no device less than its defaults, whatever is asked for
 */
export function neededLimits(manifest, tiers = []) {
  /** @type {Record<string, number>} */
  const needed = { ...LEAST, ...manifest.limits };
  for (const { name, least } of tiers.flatMap(({ limits }) => limits)) {
    needed[name] = Math.max(needed[name] ?? 0, least);
  }
  return needed;
}

/**
 * @param {Manifest} manifest
 * @param {GPUAdapter | null} adapter
 * @param {string} [wanted] name of the tier that was asked for
 * @returns {Problem[]} why the device cannot run the bundle; [] when it can
 */
export function findProblems(manifest, adapter, wanted) {
  if (adapter === null) return [noAdapter()];
  /** @type {Problem[]} */
  const problems = [];
  for (const [what, needed] of Object.entries(neededLimits(manifest))) {
    const found = Number(/** @type {any} */ (adapter.limits)[what]);
    if (found < needed) {
      const message = `the GPU's ${what} is ${found}, but this model needs ${needed}`;
      problems.push({ what, needed, found, message });
    }
  }
  if (usableTiers(manifest, adapter, wanted).length === 0) problems.push(noTier(manifest, wanted));
  return problems;
}

/** @returns {Problem} */
function noAdapter() {
  if (navigator.gpu) {
    const message = 'the browser has WebGPU, but found no GPU that it may use';
    return { what: 'GPUAdapter', needed: 'a GPU', found: 'none', message };
  }
  const secure = globalThis.isSecureContext
    ? 'this browser has no WebGPU'
    : 'WebGPU needs a page from https or localhost';
  return { what: 'navigator.gpu', needed: 'WebGPU', found: 'none', message: secure };
}

/** @param {Manifest} manifest @param {string} [wanted] @returns {Problem} */
function noTier(manifest, wanted) {
  const tier = manifest.tiers.find(({ name }) => name === wanted) ?? manifest.tiers[0];
  const needed = [
    ...tier.features,
    ...tier.language,
    ...(tier.subgroup_size === null ? [] : [`subgroups of ${tier.subgroup_size} lanes`]),
    ...tier.limits.map(({ name, least }) => `${name} ${least}`),
  ].join(', ');
  const message = `the GPU lacks ${needed}, which the kernels of tier ${tier.name} need`;
  return { what: 'features', needed, found: 'none', message };
}

/**
 * @param {Manifest} manifest
 * @param {GPUAdapter} adapter
 * @param {string} [wanted]
 * @returns {Tier[]} the tiers that the adapter has all needs of, best first
 */
export function usableTiers(manifest, adapter, wanted) {
  return manifest.tiers
    .filter((tier) => wanted === undefined || tier.name === wanted)
    .filter((tier) => canRunTier(tier, adapter))
    .reverse();
}

/** @param {Tier} tier @param {GPUAdapter} adapter */
function canRunTier({ features, language, subgroup_size: size, limits }, adapter) {
  const { subgroupMinSize, subgroupMaxSize } =
    /** @type {{ subgroupMinSize?: number, subgroupMaxSize?: number }} */ (adapter.info ?? {});
  const found = /** @type {Record<string, any>} */ (adapter.limits);
  return features.every((feature) => adapter.features.has(feature)) &&
    language.every((extension) => navigator.gpu?.wgslLanguageFeatures?.has(extension)) &&
    (size === null || (subgroupMinSize === size && subgroupMaxSize === size)) &&
    limits.every(({ name, least }) => Number(found[name]) >= least);
}

/** @param {Problem[]} problems @returns {MdstError} */
export function unsupported(problems) {
  const message = problems.map((problem) => problem.message).join('; ');
  return new MdstError('unsupported_device', message, { problems });
}
