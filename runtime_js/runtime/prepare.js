/**
 * A tier → kernels that compile and give right answers on a device. Programs that others can stand
 * in for are let go where theirs do not.
 *
 * @import { Program, Tier } from './manifest.d.ts'
 * @import { Refusal } from '../mdst.d.ts'
 * @import { Case } from './answers.js'
 * @import { Device } from './device.js'
 * @import { Kernel } from './pipelines.js'
 */

import { checkKernel } from './answers.js';
import { MdstError } from './errors.js';
import { compilerOf } from './pipelines.js';

export class Candidate {
  /**
   * @param {Device} device
   * @param {Tier} tier
   * @param {Map<string, string>} texts kernel names → WGSL
   * @param {string[]} [decode] the programs for a token that are wanted; default: all
   */
  constructor(device, tier, texts, decode) {
    this.device = device;
    this.tier = tier;
    this.compile = compilerOf(device, tier, texts);
    const spare = decodeOf(tier.programs).slice(0, -1);
    this.spare = new Set(spare);
    /** Those to be used. */
    this.programs = tier.programs.filter((program) =>
      !this.spare.has(program) || (decode?.includes(program.name) ?? true)
    );
    /** @type {Kernel[]} by number, where they are compiled */
    this.kernels = [];
    /** @type {Set<number>} */
    this.checked = new Set();
    /** @type {Refusal[]} programs that were let go */
    this.refused = [];
  }

  /** @returns {Program[]} for a token, by reach */
  get decode() {
    return decodeOf(this.programs);
  }

  /** @param {Program[]} programs @returns {number[]} */
  numbersOf(programs) {
    return [...new Set(programs.flatMap(({ steps }) => steps.map(({ kernel }) => kernel)))];
  }

  /**
   * Compiles what is not yet of the kernels of `programs`.
   *
   * @param {Program[]} programs
   * @param {() => void} [onOne] told of every kernel that is done with
   * @throws {MdstError} 'format' when a kernel is missing, 'unsupported_device' when one is refused
   */
  async build(programs, onOne = () => {}) {
    const missing = this.numbersOf(programs).filter((number) => !(number in this.kernels));
    await Promise.all(missing.map(async (number) => {
      await this.attempt(number, async () => {
        this.kernels[number] = await this.compile(number);
      });
      onOne();
    }));
  }

  /**
   * Checks what is compiled and in use, one kernel after another.
   *
   * @param {Record<string, Case[]>} answers
   * @param {AbortSignal} signal
   * @throws {MdstError} 'unsupported_device' for the first wrong answer
   */
  async check(answers, signal) {
    for (const number of this.numbersOf(this.programs)) {
      if (!(number in this.kernels) || this.checked.has(number) || signal.aborted) continue;
      const kernel = this.kernels[number];
      await this.attempt(number, () => checkKernel(this.device, kernel, answers, signal));
      this.checked.add(number);
    }
  }

  /**
   * Lets spare programs go when `work` on one of their kernels fails.
   *
   * @param {number} number of the kernel
   * @param {() => Promise<void>} work
   */
  async attempt(number, work) {
    try {
      await work();
    } catch (error) {
      const users = this.programs.filter(({ steps }) =>
        steps.some(({ kernel }) => kernel === number)
      );
      if (!isRefusal(error) || !users.every((program) => this.spare.has(program))) throw error;
      for (const { name } of users) {
        this.refused.push({ tier: this.tier.name, program: name, reason: error.message });
      }
      this.programs = this.programs.filter((program) => !users.includes(program));
    }
  }

  /** @param {readonly string[]} names of programs for a token; the others are let go */
  keep(names) {
    this.programs = this.programs.filter((program) =>
      program.phase !== 'decode' || names.includes(program.name)
    );
  }
}

/** @param {Program[]} programs @returns {Program[]} those for a token, by reach */
function decodeOf(programs) {
  return programs.filter(({ phase }) => phase === 'decode').sort((a, b) => a.reach - b.reach);
}

/** @param {unknown} error @returns {error is MdstError} whether another tier may do */
export function isRefusal(error) {
  return error instanceof MdstError && error.code === 'unsupported_device';
}
