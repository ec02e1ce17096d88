/** Numbers as people read them. */

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'];

const three = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const words = new Intl.NumberFormat('en', {
  notation: 'compact',
  compactDisplay: 'long',
  maximumSignificantDigits: 3,
});

/**
 * Three digits and a unit of powers of 1000, as browsers show downloads: 1.12 MB. The two stay on
 * one line.
 *
 * @param {number} bytes
 * @returns {string}
 */
export function formatBytes(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${three.format(value)}\u00a0${UNITS[unit]}`;
}

/**
 * All digits: 131,072.
 *
 * @param {number} count
 * @returns {string}
 */
export function formatCount(count) {
  return whole.format(count);
}

/**
 * Three digits and a word: 8.03 billion.
 *
 * @param {number} count
 * @returns {string}
 */
export function formatLarge(count) {
  return words.format(count);
}

/**
 * Three digits below a hundred, and a dash for what was too short to measure.
 *
 * @param {number} rate tokens per second
 * @returns {string}
 */
export function formatRate(rate) {
  if (!(rate > 0) || rate === Infinity) return '– tokens/s';
  return `${(rate < 100 ? three : whole).format(rate)} tokens/s`;
}

/**
 * @param {string} limit of a device, as WebGPU calls it
 * @returns {boolean}
 */
export function countsBytes(limit) {
  return /(Buffer|Binding|Storage)Size$/.test(limit);
}

/**
 * A message as a sentence; a file name that it begins with stays as it is.
 *
 * @param {string} message
 * @returns {string}
 */
export function sentence(message) {
  return message.replace(/^\p{Ll}(?!\S*[./]\S)/u, (first) => first.toUpperCase()).replace(
    /[.\s]*$/,
    '.',
  );
}

/**
 * @param {number} seconds
 * @returns {string}
 */
export function formatSeconds(seconds) {
  if (seconds < 59.5) return `${three.format(seconds < 1 ? seconds : +seconds.toFixed(1))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${three.format(minutes / 60)} h`;
}

/**
 * @param {number} time in microseconds
 * @returns {string}
 */
export function formatMicroseconds(time) {
  return time < 999.5 ? `${three.format(time)} µs` : `${three.format(time / 1000)} ms`;
}

/**
 * @param {number} count
 * @param {string} noun in the singular, of a word that takes an s
 * @returns {string}
 */
export function counted(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}
