/** The vectors of tests/text/vectors: tiny vocabularies and what the Python twin gives. */

export const NAMES = /** @type {const} */ ([
  'bpe',
  'spm',
  'characters',
  'wordpiece',
  'unigram',
  'rwkv',
  'plamo2',
]);

/**
 * @typedef {typeof NAMES[number]} Name
 *
 * @typedef {object} Vectors
 * @property {string} file the vocabulary file in base64
 * @property {{ text: string, add_special: boolean, parse_special: boolean, ids: number[] }[]} encoded
 * @property {{ ids: number[], special: boolean, whole: boolean, bytes: string }[]} decoded
 * @property {{ ids: number[], parts: string[] }[]} streamed
 */

/**
 * @param {Name} name
 * @returns {Vectors}
 */
export function readVectors(name) {
  return JSON.parse(
    Deno.readTextFileSync(new URL(`../../text/vectors/${name}.json`, import.meta.url)),
  );
}

/**
 * A fresh copy of a vocabulary file.
 * @param {Name} name
 */
export function vocabularyFile(name) {
  return Uint8Array.from(atob(readVectors(name).file), (c) => c.charCodeAt(0)).buffer;
}
