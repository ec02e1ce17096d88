/** Spaces, bytes and the size of characters, as vocabularies that are not byte-level spell them. */

/** @import { TokenMap } from './token_map.js' */

export const UTF8 = new TextEncoder();
export const SPACE = '▁';
const [FIRST, SECOND, THIRD] = UTF8.encode(SPACE);

/**
 * Writes what the token text `texts[start..end)` stands for: `▁` is a space.
 * @param {Uint8Array} texts
 * @param {number} start
 * @param {number} end
 * @param {Uint8Array} out
 * @param {number} at where
 * @returns {number} where it ends
 */
export function writePiece(texts, start, end, out, at) {
  for (let i = start; i < end; i++) {
    const space = texts[i] === FIRST && texts[i + 1] === SECOND && texts[i + 2] === THIRD;
    out[at++] = space && i + 2 < end ? 0x20 : texts[i];
    if (space && i + 2 < end) i += 2;
  }
  return at;
}

/**
 * Length in UTF-8 of the character that begins with a byte.
 * @param {number} first
 */
export function characterSize(first) {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

/**
 * The ids of the tokens `<0xXX>`, −1 where there is none.
 * @param {TokenMap} ids
 */
export function byteTokens(ids) {
  const hex = (/** @type {number} */ byte) => byte.toString(16).toUpperCase().padStart(2, '0');
  return Int32Array.from({ length: 256 }, (_, byte) => ids.find(UTF8.encode(`<0x${hex(byte)}>`)));
}

/**
 * The byte that a token text `<0xXX>` stands for, −1 for any other text.
 * @param {Uint8Array} token
 */
export function byteOf(token) {
  const digits = /^<0x([0-9a-fA-F]{2})>$/.exec(String.fromCharCode(...token.subarray(0, 7)));
  return digits === null ? -1 : parseInt(digits[1], 16);
}
