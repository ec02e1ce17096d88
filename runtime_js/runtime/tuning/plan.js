/**
 * What is wanted and what is known of a device → the tiers to try in a load, and whether to time
 * them.
 *
 * @import { Manifest, Tier } from '../manifest.d.ts'
 * @import { Tuning } from '../../mdst.d.ts'
 * @import { Wanted } from '../load.js'
 * @import { Candidate } from '../prepare.js'
 * @import { Found } from './kept.js'
 */

import { isFallback, usableTiers } from '../check.js';
import { shardsOf } from '../shards.js';
import { keyOf, recall } from './kept.js';

/** To find out which is fastest, where the browser ends on the way. */
export const MOST_TRIES = 2;
const MOST_TIERS = 3; // that are compiled to be timed
const SMALL = 64 * 2 ** 20; // bytes of weights, up to which a CPU may be faster than a GPU

/**
 * @param {Wanted} wanted
 * @param {Manifest} manifest
 * @param {string} text of the manifest
 * @param {GPUAdapter} adapter
 */
export async function makePlan(wanted, manifest, text, adapter) {
  const { device, tier, profile, threads, worker, cache, found } = wanted;
  const weights = shardsOf(manifest).reduce((sum, { size }) => sum + size, 0);
  // A page's own thread is not given away where a GPU can do the work.
  const cpu = device === 'auto' && tier === undefined && worker && weights <= SMALL;
  const about = cpu ? `${text} ${globalThis.crossOriginIsolated} ${threads}` : text;
  const tiers = usableTiers(manifest, adapter, tier);
  const open = tier === undefined && profile !== false && found === undefined;
  const key = open && cache ? await keyOf(adapter, about).catch(() => null) : null;
  const known = found ?? (key && profile !== 'again' ? await recall(key) : null);
  const tries = known?.begun ?? 0;
  const due = known === null || tries > 0 && tries < MOST_TRIES;
  const timed = open && due && (profile === 'again' || !isFallback(adapter));
  const source = tier === undefined ? 'order' : 'asked';
  return new Plan(tiers, due ? null : known, key, timed, source, tries, cpu);
}

export class Plan {
  /**
   * @param {Tier[]} tiers in the compiler's order
   * @param {Found | null} known
   * @param {string | null} key under which what is found out is kept
   * @param {boolean} timed
   * @param {'order' | 'asked'} source of the tuning if nothing is known and nothing timed
   * @param {number} tries so far
   * @param {boolean} cpu whether it may be the CPU that is fastest
   */
  constructor(tiers, known, key, timed, source, tries, cpu) {
    const first = tiers.filter(({ name }) => name === known?.tuning.tier);
    this.tiers = [...first, ...tiers.filter((tier) => !first.includes(tier))];
    this.known = known;
    this.key = key;
    this.timed = timed;
    this.source = source;
    this.tries = tries;
    this.cpu = cpu;
  }

  /** @param {Tier} tier @returns {Tier[]} it, and those that are to be timed beside it */
  group(tier) {
    const from = this.tiers.indexOf(tier);
    return this.tiers.slice(from, from + (this.timed ? MOST_TIERS : 1));
  }

  /** @param {Tier} tier @returns {string[] | undefined} its programs for a token, where known */
  programs(tier) {
    return this.known?.tuning.tier === tier.name ? this.known.tuning.programs : undefined;
  }

  /** @param {Candidate} candidate @returns {Tuning} without timing */
  tuning(candidate) {
    const { name } = candidate.tier;
    const programs = candidate.decode.map((program) => program.name);
    if (this.known?.tuning.tier === name) {
      const { tuning } = this.known;
      const source = tuning.source === 'measured' ? 'kept' : tuning.source;
      return { ...tuning, source, programs };
    }
    const { source } = this;
    return {
      source,
      tier: name,
      programs,
      position: 0,
      milliseconds: 0,
      times: [],
      problem: null,
    };
  }
}
