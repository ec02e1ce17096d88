/**
 * How much work goes into one submit: enough to hide what a submit costs by itself (about 0.5 ms in
 * Chrome, 100 ms in some browsers), little enough that the screen stays alive and text comes steadily.
 */

const TOO_LONG = 200; // milliseconds, for a submit that could be shorter
const SAMPLE = 2; // submits: answers to all that were on their way may come at once
const PAYS = 0.8; // of the cost of a unit: what twice as many of them must come down to

/**
 * Learns from (units, milliseconds) pairs. Submits grow up to the wanted time; beyond it as long as
 * units get cheaper by that, because it is then not their work that takes the time.
 */
export class Pace {
  /** @param {{ start: number, most: number, target: number }} options `target`: milliseconds */
  constructor({ start, most, target }) {
    this.units = start;
    this.target = target;
    this.most = most;
    this.cap = most;
    this.last = 0;
    this.sample = { units: 0, count: 0, milliseconds: 0 };
    /** @type {{ units: number, cost: number } | null} the smaller submits before these */
    this.smaller = null;
  }

  /** Begins a run: what slowed the last one down may be over. */
  begin() {
    this.cap = this.most;
    this.smaller = null;
    this.sample.units = 0;
  }

  /** @param {number} units @param {number} milliseconds between this submit's end and the last's */
  report(units, milliseconds) {
    this.last = milliseconds;
    if (units !== this.sample.units) this.sample = { units, count: 0, milliseconds: 0 };
    this.sample.count += 1;
    this.sample.milliseconds += milliseconds;
    if (units !== this.units || this.sample.count < SAMPLE) return;
    const time = this.sample.milliseconds / this.sample.count;
    this.sample.units = 0;
    this.units = this.next(units, time);
  }

  /** @param {number} units @param {number} time of a submit with so many @returns {number} better */
  next(units, time) {
    const { smaller, target } = this;
    const cost = time / units;
    const paid = smaller === null || cost <= PAYS * smaller.cost;
    if (time > target && smaller !== null && smaller.units < units && !paid) {
      this.cap = smaller.units;
      return smaller.units;
    }
    if (time > TOO_LONG && units > 1) {
      this.cap = Math.floor(units / 2);
      return this.cap;
    }
    const wanted = time > 0 ? Math.floor(target / cost) : Infinity;
    const more = Math.min(2 * units, this.cap, wanted > units ? wanted : Infinity);
    if (more <= units || time > TOO_LONG) return units;
    this.smaller = { units, cost };
    return more;
  }
}
