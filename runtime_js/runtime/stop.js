/**
 * Stop strings: they end a text and are never shown, not even their beginning.
 */

export class StopFilter {
  /** @param {readonly string[]} stops */
  constructor(stops) {
    this.stops = stops;
    this.held = '';
    /** Whether a stop string came. */
    this.stopped = false;
  }

  /**
   * @param {string} piece
   * @returns {string} what can be shown: it cannot become part of a stop string any more
   */
  push(piece) {
    if (this.stopped) return '';
    const text = this.held + piece;
    const found = this.stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.stopped = true;
      this.held = '';
      return text.slice(0, Math.min(...found));
    }
    const keep = Math.max(0, ...this.stops.map((stop) => overlap(text, stop)));
    this.held = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  /** @returns {string} what was held back, at the end of the text */
  flush() {
    const rest = this.held;
    this.held = '';
    return rest;
  }
}

/**
 * @param {string} text
 * @param {string} stop
 * @returns {number} length of the longest end of `text` that `stop` begins with
 */
function overlap(text, stop) {
  let length = Math.min(text.length, stop.length - 1);
  while (length > 0 && !text.endsWith(stop.slice(0, length))) length -= 1;
  return length;
}
