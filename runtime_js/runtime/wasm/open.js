/**
 * A model on the CPU: a module, its memory with the weights in it, and the threads that share it.
 *
 * @import { WasmModule } from '../manifest.d.ts'
 * @import { Opened, Site } from '../load.js'
 * @import { Cpu } from './modules.js'
 */

import { MdstError, throwIfAborted } from '../errors.js';
import { shardsOf } from '../shards.js';
import { WasmModel } from './model.js';
import { Team } from './team.js';

/**
 * @param {Site} site
 * @param {Cpu} cpu
 * @returns {Promise<WasmModel>}
 * @throws {MdstError} 'out_of_memory', 'unsupported_device'
 */
export async function openCpu(site, { module, threads, notice }) {
  const { manifest, files, shards, meter, signal } = site;
  const memory = allocate(module);
  meter.begin('kernels', 1);
  const code = await compile(module, await files.module(module));
  throwIfAborted(signal);
  const { exports } = await WebAssembly.instantiate(code, { env: { memory } });
  meter.advance();
  meter.begin('weights', shardsOf(manifest).reduce((sum, { size }) => sum + size, 0));
  for await (const { shard, bytes } of shards) {
    const address = module.weights[shard.buffer] + shard.offset;
    new Uint8Array(memory.buffer, address, shard.size).set(bytes);
    meter.file();
  }
  const team = new Team(code, memory, /** @type {any} */ (exports));
  site.opened.close = () => team.end();
  if (threads > 1) await team.gather(threads, module.team);
  const missing = team.threads < threads ? 'Other threads could not be started.' : null;
  return new WasmModel(manifest, module, memory, team, notice ?? missing);
}

/**
 * Memory for weights, cache and all the rest, at addresses that the module knows.
 *
 * @param {WasmModule} module
 * @returns {WebAssembly.Memory} zeroed
 * @throws {MdstError} 'out_of_memory'
 */
function allocate({ pages, features }) {
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

/** @param {WasmModule} module @param {BufferSource} bytes */
async function compile({ name }, bytes) {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    const message = `the browser does not compile the module ${name}: ${error}`;
    const problem = { what: 'wasm', needed: name, found: String(error), message };
    throw new MdstError('unsupported_device', message, { problems: [problem], cause: error });
  }
}
