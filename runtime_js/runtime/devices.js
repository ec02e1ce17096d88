/**
 * Which device runs a bundle: the GPU where there is a real one that can, else the CPU.
 *
 * @import { Manifest } from './manifest.d.ts'
 * @import { DeviceName, Problem, Stats } from '../mdst.d.ts'
 * @import { Wanted } from './load.js'
 * @import { Cpu } from './wasm/modules.js'
 */

import { findAdapter, findProblems, isFallback, unsupported } from './check.js';
import { invalid, readOption, show } from './checks.js';

/**
 * `adapter`: of a GPU that can run the bundle; `cpu`: how the CPU does where there is none, or one in
 * software. One of them is there, and the CPU comes first. `refused`: better devices, and why they
 * cannot; `spare`: whether one may stand in for the other.
 *
 * @typedef {{ adapter: GPUAdapter | null, cpu: Cpu | null, refused: Stats['refused'],
 *   spare: boolean }} Choice
 */

/** @type {('auto' | DeviceName)[]} */
const DEVICES = ['auto', 'webgpu', 'wasm'];

/**
 * @param {{ device?: 'auto' | DeviceName, threads?: number }} given
 * @throws {MdstError} 'invalid_request'
 */
export function readDevice({ device, threads }) {
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0)) {
    throw invalid(`threads is ${show(threads)}, but must be a positive integer`, 'threads');
  }
  return readOption('device', device, DEVICES);
}

/**
 * @param {Manifest} manifest
 * @param {Pick<Wanted, 'device' | 'tier' | 'threads' | 'worker' | 'gpuInPage' | 'asked'>} wanted
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ choice: Choice | null, gpu: GPUAdapter | null, problems: Problem[] }>} `gpu`:
 *   also when it cannot run the bundle; there are problems when there is no choice
 * @throws {MdstError} 'invalid_request' when no tier has the wanted name
 */
export async function findDevice(manifest, wanted, signal) {
  const { device, tier, asked } = wanted;
  const tiers = device === 'wasm' ? [] : manifest.tiers.map(({ name }) => name);
  const modules = device === 'webgpu'
    ? []
    : [...manifest.wasm, ...manifest.wasm_cuts].map(({ name }) => name);
  const names = [...new Set([...tiers, ...modules])];
  if (tier !== undefined && !names.includes(tier)) {
    throw invalid(`there is no tier ${show(tier)} (there are: ${names.join(', ')})`, 'tier');
  }
  const onGpu = device !== 'wasm' && (tier === undefined || tiers.includes(tier));
  const onlyInPage = onGpu && wanted.gpuInPage && !navigator.gpu; // the page will try it there
  const onCpu = !onlyInPage && device !== 'webgpu' &&
    (tier === undefined || modules.includes(tier));
  const adapter = onGpu ? await findAdapter(signal, asked) : null;
  const problems = onGpu ? findProblems(manifest, adapter, tier) : [];
  const able = adapter !== null && problems.length === 0;
  const slowGpu = able && isFallback(adapter); // the CPU alone is far faster than as a GPU
  const { cpu, problem } = onCpu && (slowGpu ? tier === undefined : !able)
    ? await findCpu(manifest, { ...wanted, slowGpu })
    : { cpu: null, problem: null };
  if (able) return { choice: { adapter, cpu, refused: [], spare: onCpu }, gpu: adapter, problems };
  if (problem !== null) problems.push(problem);
  if (cpu === null) return { choice: null, gpu: adapter, problems };
  const refused = problems.map(({ message }) => (
    { tier: 'webgpu', program: null, reason: message }
  ));
  return {
    choice: { adapter: null, cpu, refused, spare: false },
    gpu: adapter,
    problems: [],
  };
}

/**
 * How the CPU runs a bundle, or why it cannot.
 *
 * @param {Manifest} manifest
 * @param {Pick<Wanted, 'tier' | 'threads' | 'worker'> & { slowGpu?: boolean }} wanted
 * @returns {Promise<{ cpu: Cpu | null, problem: Problem | null }>}
 */
export async function findCpu(manifest, wanted) {
  const { findModule } = await import('./wasm/modules.js');
  return findModule(manifest, wanted);
}

/**
 * As `findDevice`.
 *
 * @param {Manifest} manifest
 * @param {Parameters<typeof findDevice>[1]} wanted
 * @param {AbortSignal} signal
 * @returns {Promise<Choice>}
 * @throws {MdstError} 'unsupported_device' when there is none
 */
export async function chooseDevice(manifest, wanted, signal) {
  const { choice, problems } = await findDevice(manifest, wanted, signal);
  if (choice === null) throw unsupported(problems);
  return choice;
}
