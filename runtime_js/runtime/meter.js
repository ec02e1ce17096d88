/**
 * Progress by phase, and how long each phase took.
 *
 * @import { Progress } from '../mdst.d.ts'
 */

const OFTEN = 50; // milliseconds between two reports of one phase

export class Meter {
  /** @param {(progress: Progress) => void} report */
  constructor(report) {
    this.report = report;
    this.started = performance.now();
    /** @type {Progress['phase']} */
    this.phase = 'check';
    this.total = 0;
    this.loaded = 0;
    this.files = 0;
    this.bytes = 0;
    this.cached = 0; // of them
    this.reported = -Infinity;
    this.firstByte = 0; // when it came
    /** @type {Partial<Record<Progress['phase'] | 'timing', number>>} when each phase began */
    this.times = {};
  }

  /** @param {Progress['phase']} phase @param {number} [total] */
  begin(phase, total = 0) {
    this.phase = phase;
    this.total = total;
    this.loaded = 0;
    this.times[phase] ??= performance.now();
    this.tell(true);
  }

  /** All weights are on the GPU, where kernels are timed now. */
  time() {
    this.times.timing = performance.now();
  }

  /** One more kernel is compiled. */
  advance() {
    this.loaded += 1;
    this.tell(this.loaded === this.total);
  }

  /**
   * @param {number} bytes that arrived, in whatever phase; negative when they have to come again
   * @param {boolean} cached whether the browser had kept them
   */
  count(bytes, cached) {
    this.bytes += bytes;
    if (cached) this.cached += bytes;
    this.firstByte ||= performance.now();
    if (this.phase === 'weights') this.tell(false);
  }

  /** A weight file is on the GPU. */
  file() {
    this.files += 1;
    this.tell(true);
  }

  /** @param {boolean} now */
  tell(now) {
    const time = performance.now();
    if (!now && time - this.reported < OFTEN) return;
    this.reported = time;
    const { phase, total, files, bytes, cached } = this;
    const seconds = (time - this.firstByte) / 1000;
    this.report({
      phase,
      loaded: phase === 'kernels' ? this.loaded : bytes,
      total,
      cached: phase === 'kernels' ? 0 : cached,
      files,
      bytesPerSecond: bytes > 0 && seconds > 0 ? bytes / seconds : 0,
    });
  }

  /** Seconds of the phases; call it when `ready` began. */
  seconds() {
    const { check = 0, kernels = 0, weights = 0, ready = 0, timing = ready } = this.times;
    return {
      check_seconds: (kernels - check) / 1000,
      kernels_seconds: (weights - kernels) / 1000,
      weights_seconds: (timing - weights) / 1000,
      timing_seconds: (ready - timing) / 1000,
      total_seconds: (ready - this.started) / 1000,
    };
  }
}
