/**
 * A model on the GPU: its buffers, its programs, and how work is submitted and read back.
 *
 * @import { Manifest, Tier } from './manifest.d.ts'
 * @import { Device } from './device.js'
 * @import { Dispatch, Programs } from './programs.js'
 */

import { Cache } from './cache.js';
import { Pace } from './pace.js';
import { encode } from './programs.js';
import { packState, readField, stateSize } from './state.js';

const MOST_STEPS = 32; // decode steps in one submit
const IN_FLIGHT = 2; // submits that the GPU has before it
const LONG_TOKEN = 100; // milliseconds; a token that takes longer is cut into several submits

/**
 * What one submit left: `step` tokens were drawn so far, `ids` are those of this submit.
 *
 * @typedef {{ position: number, done: number, step: number, ids: number[] }} Outcome
 */

export class Model {
  /**
   * @param {Device} device
   * @param {Manifest} manifest
   * @param {Tier} tier
   * @param {GPUBuffer[]} buffers
   * @param {Programs} programs
   */
  constructor(device, manifest, tier, buffers, programs) {
    this.device = device;
    this.manifest = manifest;
    this.tier = tier;
    this.buffers = buffers;
    this.programs = programs;
    this.cache = new Cache(manifest.context.ahead);
    this.window = manifest.context.window;
    this.mostSteps = Math.min(MOST_STEPS, manifest.context.ahead / IN_FLIGHT, this.window);
    this.decodePace = new Pace({ start: 1, most: this.mostSteps, target: 30 });
    this.prefillPace = new Pace({ start: 16, most: 1 << 16, target: 50 });
    this.biased = false;
    /** @type {Promise<void>[]} submits of a prompt */
    this.flights = [];
    this.ended = 0;
    this.state = this.named('state');
    this.tokens = this.named('tokens');
    this.stateBytes = stateSize(manifest.state);
    this.outcomeBytes = this.stateBytes + 4 * this.mostSteps;
    this.free = Array.from(
      { length: IN_FLIGHT + 1 },
      () => device.readbackBuffer(this.outcomeBytes),
    );
  }

  /** @param {string} kind @returns {GPUBuffer} the only buffer of its kind */
  named(kind) {
    return this.buffers[this.manifest.buffers.findIndex((buffer) => buffer.kind === kind)];
  }

  /** @param {Record<string, number | number[]>} values */
  writeState(values) {
    this.device.queue.writeBuffer(this.state, 0, packState(this.manifest.state, values));
  }

  /** @param {number} position @param {readonly number[]} ids all of them within the window */
  writeTokens(position, ids) {
    const slot = position % this.window;
    this.device.queue.writeBuffer(this.tokens, 4 * slot, new Uint32Array(ids));
  }

  /**
   * Counts for the penalties and the bias of logits, as far as a request needs them.
   *
   * @param {readonly number[] | null} prompt null when there are no penalties
   * @param {[number, number][]} bias
   */
  writeSampling(prompt, bias) {
    const { vocabulary } = this.manifest.model;
    if (prompt !== null) {
      const counts = new Uint32Array(vocabulary);
      for (const id of prompt) counts[id] = 2 ** 31; // says that it occurs in the prompt
      this.device.queue.writeBuffer(this.named('counts'), 0, counts);
    }
    if (bias.length > 0 || this.biased) {
      const all = new Float32Array(vocabulary);
      for (const [id, value] of bias) all[id] = value;
      this.device.queue.writeBuffer(this.named('bias'), 0, all);
      this.biased = bias.length > 0;
    }
  }

  /**
   * The dispatches of a program, in as many submits as keep each of them short; the GPU has two at a
   * time. They may still be running at the end.
   *
   * @param {Dispatch[]} steps
   * @param {AbortSignal} signal
   * @returns {Promise<boolean>} false when it was aborted on the way
   */
  async runInParts(steps, signal) {
    for (let from = 0; from < steps.length;) {
      if (this.flights.length >= IN_FLIGHT) await this.flights.shift();
      if (signal.aborted) return false;
      const part = steps.slice(from, from + this.prefillPace.units);
      from += part.length;
      this.submit(part);
      const flight = this.timed(part.length);
      flight.catch(() => {}); // reported by whoever reads what the GPU made
      this.flights.push(flight);
    }
    return true;
  }

  /** @param {number} units that were just submitted @returns {Promise<void>} when they are done */
  async timed(units) {
    const started = performance.now();
    await this.device.finished();
    const now = performance.now();
    this.prefillPace.report(units, now - Math.max(started, this.ended));
    this.ended = now;
  }

  /** @param {Dispatch[]} steps */
  submit(steps) {
    this.device.assertUsable();
    const encoder = this.device.gpu.createCommandEncoder();
    encode(encoder, steps);
    this.device.queue.submit([encoder.finish()]);
  }

  /**
   * Runs a program that draws tokens `repeat` times in one submit.
   *
   * @param {Dispatch[]} steps
   * @param {number} repeat
   * @param {number} position of the first token that is drawn
   * @param {number} drawn how many were drawn before, at least
   * @returns {Promise<Outcome>}
   */
  draw(steps, repeat, position, drawn) {
    this.device.assertUsable();
    const parts = repeat === 1 ? Math.ceil(this.decodePace.last / LONG_TOKEN) || 1 : 1;
    const size = Math.ceil(steps.length / parts);
    for (let part = 1; part < parts; part += 1) {
      this.submit(steps.slice((part - 1) * size, part * size));
    }
    const encoder = this.device.gpu.createCommandEncoder();
    encode(encoder, steps.slice((parts - 1) * size), repeat);
    const buffer = this.free.pop() ?? this.device.readbackBuffer(this.outcomeBytes);
    encoder.copyBufferToBuffer(this.state, 0, buffer, 0, this.stateBytes);
    const slot = position % this.window;
    const before = Math.min(repeat, this.window - slot); // the rest is at the ring's beginning
    const { tokens, stateBytes } = this;
    encoder.copyBufferToBuffer(tokens, 4 * slot, buffer, stateBytes, 4 * before);
    if (before < repeat) {
      const rest = 4 * (repeat - before);
      encoder.copyBufferToBuffer(tokens, 0, buffer, stateBytes + 4 * before, rest);
    }
    this.device.queue.submit([encoder.finish()]);
    return this.outcome(buffer, drawn);
  }

  /** @param {GPUBuffer} buffer @param {number} drawn @returns {Promise<Outcome>} */
  async outcome(buffer, drawn) {
    const bytes = await this.device.read(buffer, this.outcomeBytes);
    this.free.push(buffer);
    const view = new DataView(bytes);
    const { state: fields } = this.manifest;
    const step = readField(fields, view, 'step');
    const ids = new Uint32Array(bytes, this.stateBytes, Math.max(0, step - drawn));
    const position = readField(fields, view, 'position');
    return { position, done: readField(fields, view, 'done'), step, ids: [...ids] };
  }

  /** Frees everything on the GPU. */
  close() {
    for (const buffer of [...this.buffers, ...this.free]) buffer.destroy();
    this.device.close();
  }
}
