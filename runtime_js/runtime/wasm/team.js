/**
 * The threads that run a module together: this one, which begins every program, and workers that
 * take part in it (templates/wat/threads.wat.j2 has their side of it).
 */

import { MdstError } from '../errors.js';

const START = 20_000; // milliseconds in which a worker must have begun

/**
 * @typedef {object} Programs exports of a module
 * @property {(n: number, logits: number) => void} prefill
 * @property {() => void} decode_logits
 * @property {() => void} sample
 * @property {() => void} decode
 * @property {(thread: number, threads: number) => void} [join]
 */

export class Team {
  /**
   * @param {WebAssembly.Module} code
   * @param {WebAssembly.Memory} memory
   * @param {Programs} programs
   */
  constructor(code, memory, programs) {
    this.code = code;
    this.memory = memory;
    this.programs = programs;
    this.threads = 1;
    /** @type {Worker[]} */
    this.workers = [];
    /** @type {MdstError | null} what made the team useless */
    this.failure = null;
  }

  /**
   * Starts workers until there are as many threads, or goes on alone where they do not start.
   *
   * @param {number} threads
   * @param {number} job address of the number of the last job
   */
  async gather(threads, job) {
    const last = new Uint32Array(this.memory.buffer, job, 1)[0];
    const numbers = Array.from({ length: threads - 1 }, (_, i) => i + 1);
    try {
      await Promise.all(numbers.map((number) => this.start({ number, threads, job: last })));
      this.programs.join?.(0, threads);
      this.threads = threads;
    } catch {
      this.end();
    }
  }

  /** @param {{ number: number, threads: number, job: number }} place */
  start(place) {
    const url = new URL('./member.js', import.meta.url);
    const worker = new Worker(url, { type: 'module', name: `mdst thread ${place.number}` });
    this.workers.push(worker);
    worker.postMessage({ ...place, code: this.code, memory: this.memory });
    return new Promise((resolve, reject) => {
      let ready = false;
      const timer = setTimeout(() => reject(new Error('late')), START);
      worker.addEventListener('message', () => {
        ready = true;
        clearTimeout(timer);
        resolve(undefined);
      });
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        clearTimeout(timer);
        if (ready) this.fail(event.message);
        else reject(new Error(event.message));
      });
    });
  }

  /** @param {unknown} reason */
  fail(reason) {
    this.failure ??= new MdstError('device_lost', `a thread of the model has died: ${reason}`);
  }

  /**
   * Runs programs, on all threads.
   *
   * @template T
   * @param {(programs: Programs) => T} work
   * @returns {T}
   * @throws {MdstError} 'device_lost' when a thread fails or does not come to a barrier
   */
  run(work) {
    if (this.failure !== null) throw this.failure;
    try {
      return work(this.programs);
    } catch (error) { // a trap: memory is in no state to go on from
      this.fail(error);
      throw this.failure;
    }
  }

  /** Ends the workers, wherever they are. */
  end() {
    for (const worker of this.workers) worker.terminate();
    this.workers = [];
  }
}
