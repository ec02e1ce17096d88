/**
 * Philox4x32-10, the counter-based random generator behind the inputs of known answers (Salmon,
 * Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 */

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** The upper 32 bits of the product of two unsigned integers. @param {number} a @param {number} b */
function high(a, b) {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0;
}

/**
 * `count` random words: block i of four comes from the counter (i, 0, 0, 0) and the key (seed, 0).
 *
 * @param {number} seed
 * @param {number} count
 * @returns {Uint32Array<ArrayBuffer>}
 */
export function randomWords(seed, count) {
  const words = new Uint32Array(4 * Math.ceil(count / 4));
  for (let block = 0; 4 * block < count; block += 1) {
    let [c0, c1, c2, c3] = [block, 0, 0, 0];
    let k0 = seed;
    let k1 = 0;
    for (let round = 0; round < 10; round += 1) {
      const high0 = high(MULTIPLIER_0, c0);
      const high1 = high(MULTIPLIER_1, c2);
      const low0 = Math.imul(MULTIPLIER_0, c0);
      const low1 = Math.imul(MULTIPLIER_1, c2);
      [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1 >>> 0, (high0 ^ c3 ^ k1) >>> 0, low0 >>> 0];
      k0 = (k0 + WEYL_0) >>> 0;
      k1 = (k1 + WEYL_1) >>> 0;
    }
    words.set([c0, c1, c2, c3], 4 * block);
  }
  return words.subarray(0, count);
}
