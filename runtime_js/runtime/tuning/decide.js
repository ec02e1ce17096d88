/**
 * Times of alternatives → the tier and its programs to use.
 *
 * @import { ProgramTime } from '../../mdst.d.ts'
 */

/** What the time of a rival must come down to: less may be noise. */
const PAYS = 0.95;
/** And that of another program of the same tier, which has to be there anyway. */
const PAYS_WITHIN = 0.98;

/**
 * @param {readonly ProgramTime[]} times those that are not known lose
 * @param {readonly { tier: string, programs: readonly string[] }[]} order tiers, best first, with
 *   their programs for a token, by reach: the last one may stand in for all
 * @returns {{ tier: string, programs: string[] }}
 */
export function decide(times, order) {
  /** @param {string} tier @param {string} program */
  const timeOf = (tier, program) =>
    times.find((each) => each.tier === tier && each.program === program)?.microseconds ?? Infinity;
  /** @type {{ tier: string, programs: string[], time: number } | null} */
  let best = null;
  for (const { tier, programs } of order) {
    const found = { tier, programs: [...programs], time: timeOf(tier, programs[0]) };
    while (found.programs.length > 1) {
      const time = timeOf(tier, found.programs[1]);
      if (found.time === Infinity || time > PAYS_WITHIN * found.time) break;
      found.programs.shift();
      found.time = time;
    }
    if (best === null || best.time < Infinity && found.time <= PAYS * best.time) best = found;
  }
  if (best === null) throw new RangeError('there is nothing to decide between');
  return { tier: best.tier, programs: best.programs };
}
