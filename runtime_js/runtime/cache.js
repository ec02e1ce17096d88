/**
 * Which tokens the key-value cache holds, so that a text that begins like the one before is not
 * computed again.
 */

export class Cache {
  /**
   * Each layer's cache is a ring with slots for its window and `ahead` more tokens.
   *
   * @param {number} window the smallest of all layers
   * @param {number} ahead
   */
  constructor(window, ahead) {
    this.window = window;
    this.ahead = ahead;
    /** @type {number[]} ids at positions 0, 1, … whose keys and values are right */
    this.ids = [];
    /** Positions below it may have been written. */
    this.touched = 0;
  }

  clear() {
    this.ids = [];
    this.touched = 0;
  }

  /**
   * @param {readonly number[]} prompt
   * @returns {number} how many tokens of the prompt need not be computed; at least one is
   */
  shared(prompt) {
    const most = Math.min(this.ids.length, prompt.length - 1);
    let count = 0;
    while (count < most && this.ids[count] === prompt[count]) count += 1;
    return this.returnsTo(count) ? count : 0;
  }

  /**
   * Whether a text can go on from `position`: nothing of what is seen there has been overwritten by
   * later tokens, because the rings have not come round or not come far enough.
   *
   * @param {number} position
   */
  returnsTo(position) {
    const whole = this.touched <= this.window + this.ahead;
    return position <= this.ids.length && (whole || this.touched - position <= this.ahead);
  }

  /**
   * Tells that positions from `from` on are being written.
   *
   * @param {number} from
   * @param {number} to
   */
  writing(from, to) {
    this.ids.length = Math.min(this.ids.length, from);
    this.touched = from === 0 ? to : Math.max(this.touched, to);
  }

  /** @param {readonly number[]} ids what positions 0, 1, … hold now */
  holds(ids) {
    this.ids = [...ids];
    this.touched = Math.max(this.touched, ids.length);
  }
}
