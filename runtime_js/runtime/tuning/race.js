/**
 * Timing within a load: rivals compile while weights arrive, and whatever fails of it leaves the load
 * as it is without.
 *
 * @import { Ready, Timed } from '../gpu.js'
 * @import { Site, Wanted } from '../load.js'
 * @import { Model } from '../model.js'
 * @import { Plan } from './plan.js'
 */

import { throwIfAborted } from '../errors.js';
import { keep } from './kept.js';
import { MOST_TRIES } from './plan.js';
import { buildRivals, tune } from './tune.js';

/**
 * @param {Site} site
 * @param {Wanted} wanted
 * @param {Plan} plan
 * @param {Ready} ready
 * @returns {Promise<(model: Model) => Promise<Timed>>} leaves the fastest kernels in the model, or
 *   gives one on the CPU
 */
export async function prepareTuning(site, wanted, plan, ready) {
  const { candidate, rivals, answers, refused } = ready;
  const { signal } = site;
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
        /** @type {Timed} */
        let fastest = { model, tuning };
        if (plan.cpu && tuning.source === 'measured') {
          const { raceCpu } = await import('./cpu.js');
          fastest = await raceCpu(site, wanted, model, tuning, refused);
        }
        if (plan.key) await keep(plan.key, { tuning: fastest.tuning, refused, begun: 0 });
        return fastest;
      } catch (error) {
        return { model, tuning: await withoutTiming(error) };
      }
    };
  } catch (error) {
    const tuning = await withoutTiming(error);
    return (model) => Promise.resolve({ model, tuning });
  }
}
