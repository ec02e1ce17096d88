/** Texts by strangers (models, and files about them) without characters that disturb other text. */

// Controls but tab and newline; embeddings, overrides and isolates of text direction, which can
// show a text in another order than it has; separators that end lines in some programs only.
// deno-lint-ignore no-control-regex
const DISTURBING = /[\0-\x08\x0B-\x1F\x7F-\x9F\u061C\u2028-\u202E\u2066-\u2069\uFFF9-\uFFFB]/g;

/**
 * The text with a visible mark in place of each character that would disturb it.
 *
 * @param {string} text
 * @returns {string}
 */
export function inert(text) {
  return text.replace(/\r\n?/g, '\n').replace(DISTURBING, '\uFFFD');
}

/**
 * The same in one line of at most `most` characters.
 *
 * @param {string} text
 * @param {number} [most]
 * @returns {string}
 */
export function inertLine(text, most = 200) {
  const line = inert(text.slice(0, 4 * most)).replace(/\s+/g, ' ').trim();
  const all = [...line];
  return all.length > most ? `${all.slice(0, most - 1).join('').trimEnd()}…` : line;
}
