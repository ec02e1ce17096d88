/**
 * A model on the CPU: modules, their memories with the weights in them, and the threads that share
 * those. Most models are one module; one that is cut has its parts.
 *
 * @import { Manifest, Shard, WasmPart } from '../manifest.d.ts'
 * @import { Bytes } from '../fetching.js'
 * @import { Site } from '../load.js'
 * @import { Cpu, Form } from './modules.js'
 */

import { MdstError, throwIfAborted } from '../errors.js';
import { shardsOf } from '../shards.js';
import { WasmModel } from './model.js';
import { joined } from './modules.js';
import { Team } from './team.js';

/**
 * A module, of which nothing more is to be known than where its weights go.
 *
 * @typedef {Pick<WasmPart, 'file' | 'size' | 'sha256' | 'pages' | 'places'>} Part
 */

/**
 * @param {Site} site
 * @param {Cpu} cpu
 * @returns {Promise<WasmModel>}
 * @throws {MdstError} 'out_of_memory', 'unsupported_device'
 */
export async function openCpu(site, { module, threads, notice }) {
  const { manifest, files, shards, meter, signal } = site;
  const parts = partsOf(module, manifest);
  const memories = parts.map((part) => allocate(part, module));
  meter.begin('kernels', parts.length);
  /** @type {Team[]} */
  const teams = [];
  for (const [i, part] of parts.entries()) {
    const memory = memories[i];
    const code = await compile(module, await files.fetched(part.file, part));
    throwIfAborted(signal);
    const { exports } = await WebAssembly.instantiate(code, { env: { memory } });
    teams.push(new Team(code, memory, /** @type {any} */ (exports)));
    meter.advance();
  }
  meter.begin('weights', shardsOf(manifest).reduce((sum, { size }) => sum + size, 0));
  for await (const { shard, bytes } of shards) {
    parts.forEach((part, i) => place(part, memories[i], shard, bytes));
    meter.file();
  }
  site.opened.close = () => teams.forEach((team) => team.end());
  if (threads > 1) await Promise.all(teams.map((team) => team.gather(threads, module.team)));
  const team = 'parts' in module
    ? new (await import('./chain.js')).Chain(manifest, module, teams)
    : teams[0];
  const missing = team.threads < threads && 'Other threads could not be started.';
  return new WasmModel(manifest, module, team, joined([notice, missing]));
}

/** @param {Form} module @param {Manifest} manifest @returns {Part[]} a whole one is its only part */
function partsOf(module, { buffers }) {
  if ('parts' in module) return module.parts;
  const places = module.weights.map((address, buffer) => (
    { buffer, offset: 0, size: buffers[buffer].size, address }
  ));
  return [{ ...module, places }];
}

/**
 * Copies what a part needs of a shard.
 *
 * @param {Part} part
 * @param {WebAssembly.Memory} memory
 * @param {Shard} shard
 * @param {Bytes} bytes
 */
function place({ places }, memory, { buffer, offset, size }, bytes) {
  for (const place of places) {
    const start = Math.max(offset, place.offset);
    const end = Math.min(offset + size, place.offset + place.size);
    if (place.buffer !== buffer || start >= end) continue;
    new Uint8Array(memory.buffer, place.address + start - place.offset, end - start)
      .set(bytes.subarray(start - offset, end - offset));
  }
}

/**
 * Memory for weights, cache and all the rest, at addresses that the module knows.
 *
 * @param {Part} part
 * @param {Form} module
 * @returns {WebAssembly.Memory} zeroed
 * @throws {MdstError} 'out_of_memory'
 */
function allocate({ pages }, { features }) {
  const wide = features.includes('memory64');
  const size = /** @type {number} */ (wide ? BigInt(pages) : pages);
  const shared = features.includes('threads');
  const address = /** @type {{ address?: 'i64' }} */ (wide ? { address: 'i64' } : {});
  try {
    return new WebAssembly.Memory({ initial: size, maximum: size, shared, ...address });
  } catch (error) {
    const message = `the browser gives this page no ${pages * 2 ** 16} bytes of memory (${error})`;
    throw new MdstError('out_of_memory', message, { cause: error });
  }
}

/** @param {Form} module @param {BufferSource} bytes */
async function compile({ name }, bytes) {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    const message = `the browser does not compile the module ${name}: ${error}`;
    const problem = { what: 'wasm', needed: name, found: String(error), message };
    throw new MdstError('unsupported_device', message, { problems: [problem], cause: error });
  }
}
