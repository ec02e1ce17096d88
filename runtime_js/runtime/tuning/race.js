/**
 * Timing within a load: rivals compile while weights arrive, and whatever fails of it leaves the load
 * as it is without.
 *
 * @import { Tuning } from '../../mdst.d.ts'
 * @import { Ready } from '../gpu.js'
 * @import { Model } from '../model.js'
 * @import { Plan } from './plan.js'
 */

import { throwIfAborted } from '../errors.js';
import { keep } from './kept.js';
import { MOST_TRIES } from './plan.js';
import { buildRivals, tune } from './tune.js';

/**
 * @param {Plan} plan
 * @param {Ready} ready
 * @param {AbortSignal} signal
 * @returns {Promise<(model: Model) => Promise<Tuning>>} leaves the fastest kernels in the model
 */
export async function prepareTuning(plan, { candidate, rivals, answers, refused }, signal) {
  const plain = plan.tuning(candidate);
  /** @param {number} begun */
  const note = async (begun) => {
    if (plan.key) await keep(plan.key, { tuning: plain, refused: [], begun });
  };
  /** @param {unknown} error @throws {MdstError} where the device is of no use any more */
  const withoutTiming = async (error) => {
    throwIfAborted(signal);
    if (candidate.device.failure) await note(MOST_TRIES); // never again
    candidate.device.assertUsable();
    refused.push(...candidate.refused);
    return { ...plain, problem: error instanceof Error ? error.message : String(error) };
  };
  try {
    const others = await buildRivals(rivals, refused);
    return async (model) => {
      await note(plan.tries + 1); // so that it is given up where browsers end of it
      try {
        const tuning = await tune(model, [candidate, ...others], answers, refused, signal);
        if (plan.key) await keep(plan.key, { tuning, refused, begun: 0 });
        return tuning;
      } catch (error) {
        return await withoutTiming(error);
      }
    };
  } catch (error) {
    const tuning = await withoutTiming(error);
    return () => Promise.resolve(tuning);
  }
}
