/** Assertions and random data for these tests. */

/** @param {unknown} value @param {string} [message] */
export function assert(value, message = 'assertion failed') {
  if (!value) throw new Error(message);
}

/** @param {unknown} found @param {unknown} wanted @param {string} [message] */
export function assertEquals(found, wanted, message = '') {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  assert(a === b, `${message} found ${a}, wanted ${b}`);
}

/** @param {() => unknown} work @param {string} code of the MdstError that must come */
export async function assertFails(work, code) {
  /** @type {any} */
  let found = null;
  try {
    await work();
  } catch (error) {
    found = error;
  }
  assert(found !== null, `no error, ${code} wanted`);
  assertEquals(found.code, code, String(found));
  return found;
}

/** @param {number} most @returns {number} an integer from 0 to `most` */
export function randomInt(most) {
  return Math.floor(Math.random() * (most + 1));
}

/** @param {string} alphabet @param {number} most @returns {string} up to `most` characters */
export function randomText(alphabet, most) {
  return Array.from({ length: randomInt(most) }, () => alphabet[randomInt(alphabet.length - 1)])
    .join('');
}
