/** Small values that this browser keeps for this page, where it may. */

/** Pages of one origin must not share what they keep. */
export const PLACE = `mdst ${new URL('.', document.baseURI).pathname}`;

/**
 * @typedef {'localStorage' | 'sessionStorage'} Where for all tabs, or for this one
 */

/**
 * @param {string} name
 * @param {Where} [where]
 * @returns {any} undefined when there is none
 */
export function recall(name, where = 'localStorage') {
  try {
    return JSON.parse(globalThis[where].getItem(`${PLACE} ${name}`) ?? '');
  } catch {
    return undefined;
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {Where} [where]
 */
export function keep(name, value, where = 'localStorage') {
  try {
    globalThis[where].setItem(`${PLACE} ${name}`, JSON.stringify(value));
  } catch {
    // Forbidden, or full: the page works all the same.
  }
}
