/**
 * A model on the GPU: its buffers, its programs, and how work is submitted and read back.
 *
 * @import { DeviceStats, Outcome, Running, Settings } from './executor.d.ts'
 * @import { Manifest, Tier } from './manifest.d.ts'
 * @import { Device } from './device.js'
 * @import { Dispatch, Programs } from './programs.js'
 */

import { memoryOf } from './bundle.js';
import { Cache } from './cache.js';
import { Pace } from './pace.js';
import { chunkFor, encode, reaching } from './programs.js';
import { countsOf, packState, readField, stateSize } from './state.js';

const MOST_STEPS = 128; // decode steps in one submit, where answers come ten times a second
const IN_FLIGHT = 2; // submits that the GPU has before it
const LONG_TOKEN = 100; // milliseconds; a token that takes longer is cut into several submits
const ROWS_BYTES = 16 * 2 ** 20; // of logits that one submit copies

/** @implements {Running} */
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
    const { window, least_window, ahead } = manifest.context;
    this.cache = new Cache(least_window, ahead);
    this.window = window;
    this.inFlight = IN_FLIGHT;
    this.rowBytes = 4 * manifest.model.vocabulary;
    this.mostSteps = Math.min(MOST_STEPS, ahead / IN_FLIGHT, window);
    this.mostRows = Math.min(this.mostSteps, Math.ceil(ROWS_BYTES / this.rowBytes));
    this.decodePace = new Pace({ start: 1, most: this.mostSteps, target: 30 });
    this.prefillPace = new Pace({ start: 16, most: 1 << 16, target: 50 });
    this.biased = false;
    /** @type {Promise<void>[]} submits of a prompt */
    this.flights = [];
    this.ended = 0;
    this.state = this.named('state');
    this.tokens = this.named('tokens');
    this.row = manifest.views[manifest.logits];
    this.stateBytes = stateSize(manifest.state);
    this.outcomeBytes = this.stateBytes + 4 * this.mostSteps;
    /** For reading back, not in use now. */
    this.free = Array.from(
      { length: IN_FLIGHT + 1 },
      () => device.readbackBuffer(this.outcomeBytes),
    );
    /** @type {Record<string, number | number[]>} fields of the state of the text */
    this.fields = {};
    /** Where the next token that is drawn will stand, and how many stand before it that were. */
    this.next = 0;
    this.drawn = 0;
  }

  /** @param {string} kind @returns {GPUBuffer} the only buffer of its kind */
  named(kind) {
    return this.buffers[this.manifest.buffers.findIndex((buffer) => buffer.kind === kind)];
  }

  get suited() {
    return this.decodePace.units;
  }

  /** @param {Settings} settings */
  begin({ sampling, limit, sinks, endIds, counted, bias }) {
    this.prefillPace.begin();
    this.decodePace.begin();
    this.fields = { ...sampling, limit, sinks, end_count: endIds.length, end_ids: [...endIds] };
    const { vocabulary } = this.manifest.model;
    if (counted !== null) {
      this.device.queue.writeBuffer(this.named('counts'), 0, countsOf(counted, vocabulary));
    }
    if (bias !== null) this.setBias(bias);
    else if (this.biased) {
      this.setBias(new Float32Array(vocabulary));
      this.biased = false;
    }
  }

  /** @param {Float32Array<ArrayBuffer>} bias */
  setBias(bias) {
    this.device.queue.writeBuffer(this.named('bias'), 0, bias);
    this.biased = true;
  }

  /**
   * @param {readonly number[]} prompt
   * @param {number} start
   * @param {AbortSignal} signal
   */
  async prefill(prompt, start, signal) {
    const { prefill, prefillLogits } = this.programs;
    for (let from = start; from < prompt.length;) {
      const part = prompt.slice(from, from + this.manifest.context.chunk);
      const last = from + part.length === prompt.length;
      this.place(from, part);
      const { steps } = chunkFor(prefill, part.length);
      const all = last ? [...steps, ...prefillLogits] : steps;
      if (!(await this.runInParts(all, signal))) return from;
      from += part.length;
    }
    return prompt.length;
  }

  /** @param {number} position @param {Float32Array<ArrayBuffer>} logits */
  resume(position, logits) {
    this.cache.writing(position, position);
    this.writeState(position - 1, 1);
    this.device.queue.writeBuffer(this.buffers[this.row.buffer], this.row.offset, logits);
  }

  /** @param {number} position @param {number} id */
  feed(position, id) {
    this.place(position, [id]);
    this.forward();
  }

  forward() {
    this.cache.writing(this.next - 1, this.next);
    this.submit(this.programs.decodeLogits);
  }

  /**
   * Tokens for the next program, and the state for them.
   *
   * @param {number} position
   * @param {readonly number[]} ids all of them within the window
   */
  place(position, ids) {
    this.cache.writing(position, position + ids.length);
    const slot = position % this.window;
    this.device.queue.writeBuffer(this.tokens, 4 * slot, new Uint32Array(ids));
    this.writeState(position, ids.length);
  }

  /** @param {number} position @param {number} tokens that stand there, to be processed or just so */
  writeState(position, tokens) {
    const values = { ...this.fields, position, n_tokens: tokens };
    this.device.queue.writeBuffer(this.state, 0, packState(this.manifest.state, values));
    this.next = position + tokens;
    this.drawn = Number(this.fields.step ?? 0);
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

  /** @param {Dispatch[]} steps @param {number} [repeat] */
  submit(steps, repeat = 1) {
    this.device.assertUsable();
    const encoder = this.device.gpu.createCommandEncoder();
    encode(encoder, steps, repeat);
    this.device.queue.submit([encoder.finish()]);
  }

  /** @param {boolean} rows */
  async sample(rows) {
    const outcome = await this.draw([], this.programs.sample, 1, rows);
    this.ended = performance.now();
    return outcome;
  }

  /** @param {number} repeat @param {boolean} rows */
  async decode(repeat, rows) {
    const { decode, decodeLogits, sample } = this.programs;
    const started = performance.now();
    const outcome =
      await (rows
        ? this.draw(decodeLogits, sample, repeat, true)
        : this.draw(reaching(decode, this.next - 1 + repeat).steps, [], repeat, false));
    const now = performance.now();
    if (outcome.done === 0) this.decodePace.report(repeat, now - Math.max(started, this.ended));
    this.ended = now;
    return outcome;
  }

  /**
   * Runs two programs, of which one draws, `repeat` times in one submit. The logits between them are
   * kept where `rows` asks for it.
   *
   * @param {Dispatch[]} head
   * @param {Dispatch[]} tail
   * @param {number} repeat
   * @param {boolean} rows
   * @returns {Promise<Outcome>}
   */
  draw(head, tail, repeat, rows) {
    this.device.assertUsable();
    const parts = repeat === 1 ? Math.ceil(this.decodePace.last / LONG_TOKEN) || 1 : 1;
    const size = Math.ceil(head.length / parts);
    for (let part = 1; part < parts; part += 1) {
      this.submit(head.slice((part - 1) * size, part * size));
    }
    const rest = head.slice((parts - 1) * size);
    const { next: position, drawn } = this;
    const encoder = this.device.gpu.createCommandEncoder();
    const buffer = rows
      ? this.device.readbackBuffer(this.outcomeBytes + repeat * this.rowBytes)
      : this.free.pop() ?? this.device.readbackBuffer(this.outcomeBytes);
    for (let turn = 0; rows && turn < repeat; turn += 1) {
      encode(encoder, rest);
      const { buffer: from, offset } = this.row;
      const to = this.outcomeBytes + turn * this.rowBytes;
      encoder.copyBufferToBuffer(this.buffers[from], offset, buffer, to, this.rowBytes);
      encode(encoder, tail);
    }
    if (!rows) encode(encoder, [...rest, ...tail], repeat);
    encoder.copyBufferToBuffer(this.state, 0, buffer, 0, this.stateBytes);
    this.copyTokens(encoder, position, repeat, buffer);
    this.device.queue.submit([encoder.finish()]);
    this.next += repeat;
    this.drawn += repeat;
    return this.outcome(buffer, drawn, rows);
  }

  /**
   * @param {GPUCommandEncoder} encoder
   * @param {number} position
   * @param {number} count of tokens from there on, out of the ring
   * @param {GPUBuffer} buffer
   */
  copyTokens(encoder, position, count, buffer) {
    const slot = position % this.window;
    const before = Math.min(count, this.window - slot); // the rest is at the ring's beginning
    const { tokens, stateBytes } = this;
    encoder.copyBufferToBuffer(tokens, 4 * slot, buffer, stateBytes, 4 * before);
    if (before < count) {
      const rest = 4 * (count - before);
      encoder.copyBufferToBuffer(tokens, 0, buffer, stateBytes + 4 * before, rest);
    }
  }

  /**
   * @param {GPUBuffer} buffer
   * @param {number} drawn how many were drawn before, at least
   * @param {boolean} rows
   * @returns {Promise<Outcome>}
   */
  async outcome(buffer, drawn, rows) {
    const bytes = await this.device.read(buffer, buffer.size);
    if (rows) buffer.destroy();
    else this.free.push(buffer);
    const view = new DataView(bytes);
    const { state: fields } = this.manifest;
    const step = readField(fields, view, 'step');
    const ids = [...new Uint32Array(bytes, this.stateBytes, Math.max(0, step - drawn))];
    const { vocabulary } = this.manifest.model;
    const rowAt = (/** @type {number} */ i) =>
      new Float32Array(bytes, this.outcomeBytes + i * this.rowBytes, vocabulary);
    const position = readField(fields, view, 'position');
    const done = readField(fields, view, 'done');
    return { position, done, step, ids, rows: rows ? ids.map((_, i) => rowAt(i)) : [] };
  }

  async logits() {
    const buffer = this.device.readbackBuffer(this.rowBytes);
    const encoder = this.device.gpu.createCommandEncoder();
    const { buffer: from, offset } = this.row;
    encoder.copyBufferToBuffer(this.buffers[from], offset, buffer, 0, this.rowBytes);
    this.device.queue.submit([encoder.finish()]);
    const row = new Float32Array(await this.device.read(buffer, this.rowBytes));
    buffer.destroy();
    return row;
  }

  async finished() {
    await this.device.finished();
  }

  assertUsable() {
    this.device.assertUsable();
  }

  /** @returns {DeviceStats} */
  stats() {
    return {
      device: 'webgpu',
      tier: this.tier.name,
      threads: 0,
      notice: null,
      memory: memoryOf(this.manifest),
      dispatches_per_token: this.programs.decode[0].steps.length,
    };
  }

  async profile() {
    const { profileDecode } = await import('./profile.js');
    return await profileDecode(this);
  }

  /** Frees everything on the GPU. */
  close() {
    for (const buffer of [...this.buffers, ...this.free]) buffer.destroy();
    this.device.close();
  }
}
