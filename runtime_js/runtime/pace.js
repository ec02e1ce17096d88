/**
 * How much work goes into one submit: enough to hide what a submit costs by itself, little enough
 * that the screen stays alive and text comes steadily.
 */

const TOO_LONG = 100; // milliseconds

/**
 * Learns from (units, milliseconds) pairs. The shortest time seen is taken as what a submit costs
 * whatever it holds (about 0.5 ms in Chrome, 100 ms in some browsers); the rest grows with the units.
 */
export class Pace {
  /** @param {{ start: number, most: number, target: number }} options `target`: milliseconds */
  constructor({ start, most, target }) {
    this.units = start;
    this.target = target;
    this.most = most;
    this.cap = most;
    this.shortest = Infinity;
    this.last = 0;
  }

  /** Begins a run: what slowed the last one down may be over. */
  begin() {
    this.cap = this.most;
  }

  /** @param {number} units @param {number} milliseconds between this submit's end and the last's */
  report(units, milliseconds) {
    this.last = milliseconds;
    this.shortest = Math.min(this.shortest, milliseconds);
    const perUnit = (milliseconds - this.shortest) / units;
    if (milliseconds > TOO_LONG && perUnit * units > this.target) {
      this.cap = Math.max(1, Math.floor(units / 2));
    }
    const wanted = perUnit > 0 ? Math.floor(this.target / perUnit) : Infinity;
    this.units = Math.max(1, Math.min(2 * units, wanted, this.cap));
  }
}
