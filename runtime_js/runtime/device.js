/**
 * A GPU device whose failures are told: lost, out of memory, or a call that it refuses.
 *
 * @import { Manifest, Tier } from './manifest.d.ts'
 */

import { neededLimits } from './check.js';
import { MdstError } from './errors.js';

// Values of GPUBufferUsage and GPUShaderStage, which exist only where WebGPU does.
const MAP_READ = 0x1;
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const STORAGE = 0x80;

const CLOCK = 'timestamp-query';
const LOST_SOON = 500; // milliseconds in which a failed call turns out to be a lost device

export class Device {
  /**
   * @param {GPUDevice} device
   */
  constructor(device) {
    this.gpu = device;
    this.queue = device.queue;
    /** @type {MdstError | null} what made the device useless */
    this.failure = null;
    this.closed = false;
    /** @type {(error: MdstError) => void} */
    this.onFailure = () => {};
    device.lost.then(({ reason, message }) => {
      if (this.closed) return;
      this.fail(new MdstError('device_lost', `the GPU device was lost (${reason}): ${message}`));
    });
    device.addEventListener('uncapturederror', (event) => {
      const { error } = /** @type {GPUUncapturedErrorEvent} */ (event);
      const outOfMemory = error instanceof GPUOutOfMemoryError;
      this.fail(new MdstError(outOfMemory ? 'out_of_memory' : 'device_lost', error.message));
    });
  }

  /**
   * A device with the features of all `tiers` and exactly the limits that the bundle needs; with the
   * GPU's clock where there is one, for timing.
   *
   * @param {GPUAdapter} adapter
   * @param {Manifest} manifest
   * @param {Tier[]} tiers
   */
  static async open(adapter, manifest, tiers) {
    try {
      const clock = adapter.features.has(CLOCK) ? [CLOCK] : [];
      const device = await adapter.requestDevice({
        label: 'mdst',
        requiredFeatures: /** @type {GPUFeatureName[]} */ (
          [...new Set([...tiers.flatMap(({ features }) => features), ...clock])]
        ),
        requiredLimits: neededLimits(manifest, tiers),
      });
      return new Device(device);
    } catch (error) {
      const message = `the browser refused a GPU device: ${messageOf(error)}`;
      throw new MdstError('unsupported_device', message, { cause: error });
    }
  }

  /** @param {MdstError} error the first one counts */
  fail(error) {
    if (this.failure !== null || this.closed) return;
    this.failure = error;
    this.onFailure(error);
  }

  /** @throws {MdstError} when the device is of no use any more */
  assertUsable() {
    if (this.failure !== null) throw this.failure;
    if (this.closed) throw new MdstError('unloaded', 'the model was unloaded');
  }

  /**
   * Zeroed storage buffers of the given sizes.
   *
   * @param {{ name: string, size: number }[]} wanted
   * @returns {Promise<GPUBuffer[]>}
   * @throws {MdstError} 'out_of_memory'
   */
  async buffers(wanted) {
    const total = wanted.reduce((sum, { size }) => sum + size, 0);
    /** @type {GPUBuffer[]} */
    const made = [];
    const problem = await this.scoped(() => {
      for (const { name, size } of wanted) {
        const usage = STORAGE | COPY_DST | COPY_SRC;
        made.push(this.gpu.createBuffer({ label: name, size, usage }));
      }
    });
    this.assertUsable();
    if (problem === null) return made;
    for (const buffer of made) buffer.destroy();
    throw new MdstError(
      'out_of_memory',
      `the GPU has not enough memory free: ${total} bytes are needed (${problem})`,
    );
  }

  /** @param {number} size @returns {GPUBuffer} for reading back */
  readbackBuffer(size) {
    return this.gpu.createBuffer({ label: 'readback', size, usage: MAP_READ | COPY_DST });
  }

  /**
   * @param {() => void} work
   * @returns {Promise<string | null>} what went wrong in it
   */
  async scoped(work) {
    /** @type {GPUErrorFilter[]} */
    const filters = ['out-of-memory', 'validation', 'internal'];
    for (const filter of filters) this.gpu.pushErrorScope(filter);
    let thrown = null;
    try {
      work();
    } catch (error) { // sizes that no GPU has throw instead of being told to the scope
      thrown = messageOf(error);
    }
    const errors = await Promise.all(filters.map(() => this.gpu.popErrorScope()));
    return thrown ?? errors.find((error) => error !== null)?.message ?? null;
  }

  /**
   * The content of a readback buffer, as soon as the work submitted so far is done.
   *
   * @param {GPUBuffer} buffer
   * @param {number} size
   * @returns {Promise<ArrayBuffer>}
   * @throws {MdstError} 'device_lost', 'unloaded', 'out_of_memory'
   */
  async read(buffer, size) {
    try {
      await buffer.mapAsync(MAP_READ, 0, size);
    } catch (error) {
      throw await this.explain(error);
    }
    const copy = buffer.getMappedRange(0, size).slice(0);
    buffer.unmap();
    if (this.failure !== null) throw this.failure; // an invalid dispatch leaves old bytes behind
    return copy;
  }

  /** @returns {Promise<void>} when all work submitted so far is done */
  async finished() {
    try {
      await this.queue.onSubmittedWorkDone();
    } catch (error) {
      throw await this.explain(error);
    }
    this.assertUsable();
  }

  /** @param {unknown} error @returns {Promise<MdstError>} why a call failed */
  async explain(error) {
    const lost = this.gpu.lost.then(() => {});
    await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, LOST_SOON))]);
    if (this.closed) return new MdstError('unloaded', 'the model was unloaded', { cause: error });
    const message = `the GPU gave no answer: ${messageOf(error)}`;
    return this.failure ?? new MdstError('device_lost', message, { cause: error });
  }

  /** Frees the device and all that was made on it. */
  close() {
    this.closed = true;
    this.gpu.destroy();
  }
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
