/**
 * A model on the CPU. What is asked for is done in order, each piece of work in a turn of the event
 * loop of its own, so that the thread hears messages between them.
 *
 * @import { DeviceStats, Outcome, Running, Settings } from '../executor.d.ts'
 * @import { Manifest } from '../manifest.d.ts'
 * @import { Chain } from './chain.js'
 * @import { Form } from './modules.js'
 * @import { Programs, Team } from './team.js'
 */

import { memoryOf } from '../bundle.js';
import { Cache } from '../cache.js';
import { MdstError } from '../errors.js';
import { Pace } from '../pace.js';
import { countsOf, packState, readField, stateSize } from '../state.js';

const MOST_STEPS = 32; // decode steps in one turn
const LONG = 1000; // milliseconds; a part of a prompt that takes longer is cut
const LEAST_PART = 16; // tokens, below which shorter parts cost much more in all

/** @implements {Running} */
export class WasmModel {
  /**
   * @param {Manifest} manifest
   * @param {Form} module
   * @param {Team | Chain} team over memory with the weights in it
   * @param {string | null} notice
   */
  constructor(manifest, module, team, notice) {
    this.manifest = manifest;
    this.module = module;
    this.team = team;
    this.notice = notice;
    const { window, least_window, ahead } = manifest.context;
    this.cache = new Cache(least_window, ahead);
    this.inFlight = 1;
    this.mostSteps = Math.min(MOST_STEPS, ahead, window);
    this.mostRows = this.mostSteps;
    this.pace = new Pace({ start: 1, most: this.mostSteps, target: 30 });
    this.part = module.chunk;
    this.closed = false;
    this.biased = false;
    /** @type {Promise<unknown>} all work so far */
    this.before = Promise.resolve();
    /** @type {Record<string, number | number[]>} fields of the state of the text */
    this.fields = {};
    /** Where the next token that is drawn will stand, and how many stand before it that were. */
    this.next = 0;
    this.drawn = 0;
    const { buffer } = team.memory;
    const { vocabulary } = manifest.model;
    this.row = new Float32Array(buffer, module.logits, vocabulary);
    this.bias = new Float32Array(buffer, module.bias, vocabulary);
    this.counts = new Uint32Array(buffer, module.counts, vocabulary);
    this.ring = new Uint32Array(buffer, module.tokens, window);
    const size = stateSize(manifest.state);
    this.state = new Uint8Array(buffer, module.state, size);
    this.view = new DataView(buffer, module.state, size);
  }

  get suited() {
    return this.pace.units;
  }

  /** @param {Settings} settings */
  begin({ sampling, limit, sinks, endIds, counted, bias }) {
    this.pace.begin();
    this.fields = { ...sampling, limit, sinks, end_count: endIds.length, end_ids: [...endIds] };
    const { vocabulary } = this.manifest.model;
    if (counted !== null) this.write(() => this.counts.set(countsOf(counted, vocabulary)));
    if (bias !== null) this.setBias(bias);
    else if (this.biased) this.write(() => this.bias.fill(0));
    this.biased = bias !== null;
  }

  /** @param {Float32Array<ArrayBuffer>} bias */
  setBias(bias) {
    this.write(() => this.bias.set(bias));
    this.biased = true;
  }

  /**
   * @param {readonly number[]} prompt
   * @param {number} start
   * @param {AbortSignal} signal
   */
  async prefill(prompt, start, signal) {
    for (let from = start; from < prompt.length;) {
      if (signal.aborted) return from;
      const ids = prompt.slice(from, from + this.part);
      const last = from + ids.length === prompt.length;
      this.place(from, ids);
      const time = await this.work(({ prefill }) => {
        const started = performance.now();
        prefill(ids.length, Number(last));
        return performance.now() - started;
      });
      if (time > LONG) this.part = Math.max(LEAST_PART, this.part >> 1);
      else if (2 * time < LONG) this.part = Math.min(this.module.chunk, 2 * this.part);
      from += ids.length;
    }
    return prompt.length;
  }

  /** @param {number} position @param {Float32Array<ArrayBuffer>} logits */
  resume(position, logits) {
    this.cache.writing(position, position);
    this.writeState(position - 1, 1);
    this.write(() => this.row.set(logits));
  }

  /** @param {number} position @param {number} id */
  feed(position, id) {
    this.place(position, [id]);
    this.forward();
  }

  forward() {
    this.cache.writing(this.next - 1, this.next);
    this.work((programs) => {
      if (!this.done) programs.decode_logits();
    }).catch(() => {}); // reported by whoever reads what it made
  }

  /**
   * Tokens for the next program, and the state for them.
   *
   * @param {number} position
   * @param {readonly number[]} ids all of them within the window
   */
  place(position, ids) {
    this.cache.writing(position, position + ids.length);
    this.write(() => this.ring.set(ids, position % this.ring.length));
    this.writeState(position, ids.length);
  }

  /** @param {number} position @param {number} tokens that stand there, to be processed or just so */
  writeState(position, tokens) {
    const values = { ...this.fields, position, n_tokens: tokens };
    const bytes = new Uint8Array(packState(this.manifest.state, values));
    this.write(() => this.state.set(bytes));
    this.next = position + tokens;
    this.drawn = Number(this.fields.step ?? 0);
  }

  /** @param {boolean} rows */
  sample(rows) {
    return this.draw(1, rows, ({ sample }) => sample());
  }

  /** @param {number} repeat @param {boolean} rows */
  decode(repeat, rows) {
    return this.draw(repeat, rows, ({ decode }) => decode());
  }

  /**
   * @param {number} repeat
   * @param {boolean} rows
   * @param {(programs: Programs) => void} step draws a token
   * @returns {Promise<Outcome>}
   */
  draw(repeat, rows, step) {
    const { next: position, drawn } = this;
    this.next += repeat;
    this.drawn += repeat;
    return this.work((programs) => {
      const started = performance.now();
      /** @type {Float32Array[]} */
      const kept = [];
      for (let turn = 0; turn < repeat && !this.done; turn += 1) {
        step(programs);
        if (rows) kept.push(this.row.slice());
      }
      const done = this.done;
      if (done === 0) this.pace.report(repeat, performance.now() - started);
      const drawnNow = this.field('step');
      const ids = Array.from(
        { length: Math.max(0, drawnNow - drawn) },
        (_, i) => this.ring[(position + i) % this.ring.length],
      );
      return { position: this.field('position'), done, step: drawnNow, ids, rows: kept };
    });
  }

  async logits() {
    return await this.work(() => this.row.slice());
  }

  async finished() {
    await this.work(() => {});
  }

  get done() {
    return this.field('done');
  }

  /** @param {string} name */
  field(name) {
    return readField(this.manifest.state, this.view, name);
  }

  /** @param {() => void} change of memory, when all work so far is done */
  write(change) {
    this.before = this.before.then(change);
  }

  /**
   * @template T
   * @param {(programs: Programs) => T} work
   * @returns {Promise<T>}
   * @throws {MdstError} 'device_lost', 'unloaded'
   */
  work(work) {
    const result = this.before.then(turn).then(() => {
      this.assertUsable();
      return this.team.run(work);
    });
    this.before = result.catch(() => {});
    return result;
  }

  assertUsable() {
    if (this.closed) throw new MdstError('unloaded', 'the model was unloaded');
    if (this.team.failure !== null) throw this.team.failure;
  }

  /** @returns {DeviceStats} */
  stats() {
    return {
      device: 'wasm',
      tier: this.module.name,
      threads: this.team.threads,
      notice: this.notice,
      memory: memoryOf(this.manifest, this.module),
      dispatches_per_token: 0,
    };
  }

  async profile() {
    const { profileToken } = await import('./profile.js');
    return await profileToken(this);
  }

  close() {
    this.closed = true;
    this.team.end();
  }
}

/** @returns {Promise<void>} after the messages that are waiting now */
function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
