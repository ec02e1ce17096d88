/**
 * Candidates on a device with the model's weights → the one that makes a token fastest there.
 *
 * @import { Tuning, ProgramTime, Refusal } from '../../mdst.d.ts'
 * @import { Case } from '../answers.js'
 * @import { Model } from '../model.js'
 * @import { Candidate } from '../prepare.js'
 * @import { Decode } from '../programs.js'
 */

import { isRefusal } from '../prepare.js';
import { bindDecode, binderOf, bindPrograms } from '../programs.js';
import { decide } from './decide.js';
import { Stopwatch } from './stopwatch.js';

const LIMIT = 800; // milliseconds after which no further run is begun
const MOST_TOKENS_BEFORE = 512; // the timed ones; attention takes longer the more there are

/** @typedef {{ candidate: Candidate, decode: Decode }} Alternative */

/**
 * Candidates whose programs for a token compile.
 *
 * @param {Promise<Candidate>[]} opened
 * @param {Refusal[]} refused gets those that do not
 * @returns {Promise<Candidate[]>}
 */
export async function buildRivals(opened, refused) {
  const found = [];
  for (const each of opened) {
    const candidate = await each;
    const built = await accepted(candidate, refused, () => candidate.build(candidate.decode));
    if (built) found.push(candidate);
  }
  return found;
}

/**
 * Leaves the fastest in `model`.
 *
 * @param {Model} model with the first of the candidates
 * @param {Candidate[]} candidates in the compiler's order; the first is whole and checked
 * @param {Record<string, Case[]>} answers
 * @param {Refusal[]} refused gets rivals that won and fail
 * @param {AbortSignal} signal
 * @returns {Promise<Tuning>}
 */
export async function tune(model, candidates, answers, refused, signal) {
  const { device, manifest, buffers } = model;
  const started = performance.now();
  /** @param {Candidate} candidate */
  const binder = ({ kernels }) => binderOf(device, manifest, kernels, buffers);
  /** @type {Alternative[]} */
  const alternatives = candidates.flatMap((candidate) =>
    bindDecode(candidate.programs, binder(candidate)).map((decode) => ({ candidate, decode }))
  );
  const reach = Math.min(manifest.context.window, ...alternatives.map((each) => each.decode.reach));
  const position = Math.min(MOST_TOKENS_BEFORE, reach >> 1);
  const stopwatch = new Stopwatch(model, position, reach);
  const canTell = await stopwatch.canTell();
  const measured = canTell ? await measure(stopwatch, alternatives, signal) : [];
  stopwatch.close();
  const milliseconds = performance.now() - started;

  let left = candidates;
  for (;;) {
    const order = left.map(({ tier, decode }) => (
      { tier: tier.name, programs: decode.map(({ name }) => name) }
    ));
    const { tier, programs } = decide(measured, order);
    const chosen = left.find((candidate) => candidate.tier.name === tier) ?? left[0];
    const known = chosen.decode.length;
    const whole = chosen === left[0] || await accepted(chosen, refused, async () => {
      await chosen.build(chosen.programs);
      await chosen.check(answers, signal);
    });
    if (!whole) left = left.filter((candidate) => candidate !== chosen);
    if (!whole || chosen.decode.length < known) continue; // what remains may be slower
    chosen.keep(programs);
    refused.push(...candidates.flatMap((candidate) => candidate.refused));
    model.tier = chosen.tier;
    model.programs = bindPrograms(chosen.programs, binder(chosen));
    const done = { tier, programs, position, milliseconds, times: measured };
    if (measured.length > 0) return { source: 'measured', ...done, problem: null };
    const problem = canTell ? 'a token takes too long' : 'nothing here tells how long work takes';
    return { source: 'order', ...done, problem };
  }
}

/**
 * @param {Stopwatch} stopwatch
 * @param {Alternative[]} alternatives the first that shall be chosen if it is not slower comes first
 * @param {AbortSignal} signal
 * @returns {Promise<ProgramTime[]>} of as many as there is time for
 */
async function measure(stopwatch, alternatives, signal) {
  /** @type {ProgramTime[]} */
  const times = [];
  const [first] = alternatives;
  // Drivers finish compiling when a pipeline is first used, and GPUs lower their clocks meanwhile.
  for (const { decode } of alternatives) {
    if (signal.aborted) break;
    await stopwatch.span(decode.steps, 1);
  }
  await stopwatch.warmUp(first.decode.steps);
  const end = performance.now() + LIMIT;
  for (const { candidate, decode } of alternatives) {
    if (signal.aborted || performance.now() > end) break;
    const microseconds = await stopwatch.time(decode.steps, end);
    times.push({ tier: candidate.tier.name, program: decode.name, microseconds });
  }
  const [own, ...others] = times;
  // What looks faster may have run at a higher clock only.
  if (others.some(({ microseconds }) => microseconds < own.microseconds)) {
    const again = await stopwatch.time(first.decode.steps, end);
    own.microseconds = Math.min(own.microseconds, again);
  }
  return times;
}

/**
 * @param {Candidate} candidate
 * @param {Refusal[]} refused gets it if it fails
 * @param {() => Promise<void>} work
 * @returns {Promise<boolean>} false if the candidate, and not the device, failed
 */
async function accepted(candidate, refused, work) {
  try {
    await work();
    return true;
  } catch (error) {
    candidate.device.assertUsable();
    const { code, message } = /** @type {import('../errors.js').MdstError} */ (error);
    if (!isRefusal(error) && code !== 'out_of_memory') throw error;
    refused.push({ tier: candidate.tier.name, program: null, reason: message });
    return false;
  }
}
