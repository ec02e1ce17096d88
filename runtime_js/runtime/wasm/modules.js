/**
 * Which of a bundle's WebAssembly modules runs here, and on how many threads.
 *
 * @import { Manifest, WasmCut, WasmModule } from '../manifest.d.ts'
 * @import { Problem } from '../../mdst.d.ts'
 */

const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]; // "\0asm", version 1

/**
 * The least modules with a feature, in hex without their heads. A function of i8x16.splat, of
 * i32x4.relaxed_dot_i8x16_i7x16_add_s, of i32.atomic.load on a shared memory; a 64-bit memory.
 *
 * @type {Record<string, string>}
 */
const PROBES = {
  'simd': '010401600000030201000a090107004100fd0f1a0b',
  'relaxed-simd': '01050160017b00030201000a0e010c00200020002000fd93021a0b',
  'threads': '010401600000030201000504010301010a0b0109004100fe1002001a0b',
  'memory64': '0503010401',
};

/** @type {Problem} */
const NOT_SECURE = {
  what: 'crypto.subtle',
  needed: 'https or localhost',
  found: 'none',
  message: 'browsers check what was downloaded only in a page from https or localhost',
};

const SLOW_GPU = 'The model runs on the CPU: the browser offers no GPU but a slow one in software.';

/**
 * A module, or where its memory passes what 32 bits address perhaps several. `notice`: why it works
 * on it, or one thread alone, for the user.
 *
 * @typedef {WasmModule | WasmCut} Form
 * @typedef {{ module: Form, threads: number, notice: string | null }} Cpu
 */

/**
 * The last module that can run, as they come from the plainest to the fastest.
 *
 * @param {Manifest} manifest
 * @param {{ tier?: string, threads?: number, worker: boolean, slowGpu?: boolean }} wanted `worker`:
 *   the module runs in a thread that may wait for others; `slowGpu`: in place of a GPU in software
 * @returns {{ cpu: Cpu | null, problem: Problem | null }} one of them
 */
export function findModule({ wasm, wasm_cuts }, { tier, threads, worker, slowGpu }) {
  if (!globalThis.crypto?.subtle) return { cpu: null, problem: NOT_SECURE };
  // One with 64-bit memory is better than its cut form.
  const named = [...wasm_cuts, ...wasm].filter(({ name }) => tier === undefined || name === tier);
  const lacks = (/** @type {Form} */ { features }) => features.find((one) => !has(one));
  const able = named.filter((module) => lacks(module) === undefined);
  const alone = whyAlone(worker);
  const count = threads ?? sensibleThreads();
  const many = able.filter(({ threads }) => threads > 1);
  const single = able.filter(({ threads }) => threads === 1);
  const together = alone === null && (count > 1 || single.length === 0) && many.length > 0;
  const [module] = (together ? many : single).slice(-1);
  if (module === undefined) return { cpu: null, problem: problemOf(named, lacks, alone) };
  const notices = [slowGpu && SLOW_GPU, many.length > 0 && count > 1 && alone];
  return {
    cpu: { module, threads: Math.min(count, module.threads), notice: joined(notices) },
    problem: null,
  };
}

/** @param {(string | boolean | null | undefined)[]} notices @returns {string | null} */
export function joined(notices) {
  return notices.filter(Boolean).join(' ') || null;
}

/**
 * As many as there are cores where each of them does two threads at once. More than the fast cores
 * of a device would wait for the slow ones at every step.
 */
function sensibleThreads() {
  const found = navigator.hardwareConcurrency || 1;
  return found < 4 ? found : found >> 1;
}

/** @param {boolean} worker @returns {string | null} why threads cannot be had */
function whyAlone(worker) {
  if (!globalThis.crossOriginIsolated) {
    return 'The model runs on one thread: the server does not send the headers ' +
      'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.';
  }
  return worker ? null : 'The model runs on one thread: that of the page, which may not wait.';
}

/** @param {string} feature */
function has(feature) {
  const code = PROBES[feature]?.match(/../g)?.map((byte) => parseInt(byte, 16));
  return code !== undefined && typeof WebAssembly === 'object' &&
    WebAssembly.validate(new Uint8Array([...HEAD, ...code]));
}

/**
 * @param {Form[]} modules
 * @param {(module: Form) => string | undefined} lacks
 * @param {string | null} alone
 * @returns {Problem}
 */
function problemOf(modules, lacks, alone) {
  const plainest = modules.find((module) => 'pages' in module) ?? modules[0];
  if (plainest === undefined) {
    const message = 'the bundle has no WebAssembly module';
    return { what: 'wasm', needed: 'a module', found: 'none', message };
  }
  const feature = lacks(plainest);
  if (feature === undefined) {
    const message = alone ?? 'the module needs more than one thread';
    return { what: 'threads', needed: 'threads', found: 'one', message };
  }
  const message = `this browser has no WebAssembly with ${feature}` +
    (feature === 'memory64' && 'pages' in plainest
      ? ` for the ${plainest.pages * 2 ** 16} bytes that the model needs`
      : '');
  return { what: feature, needed: feature, found: 'none', message };
}
