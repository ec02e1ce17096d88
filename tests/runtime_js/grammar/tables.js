/** Vocabularies for these tests, and what a grammar says of a whole text. */

import { constrain, TokenTable } from '../../../runtime_js/runtime/grammar/grammar.js';
import { openTokenizer } from '../../../runtime_js/runtime/text/tokenizer.js';
import { vocabularyFile } from '../text/vectors.js';

/**
 * @import { Grammar } from '../../../runtime_js/runtime/grammar/nodes.js'
 * @import { Matcher } from '../../../runtime_js/runtime/grammar/matcher.js'
 */

const UTF8 = new TextEncoder();

/** Each byte a token of its number, and some longer ones; the last token ends a text. */
export function byteTable(/** @type {string[]} */ longer = []) {
  const pieces = [
    ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
    ...longer.map((text) => UTF8.encode(text)),
    new Uint8Array(0),
  ];
  return new TokenTable(pieces.length, pieces, [pieces.length - 1]);
}

const BYTES = byteTable();

/** @param {'bpe' | 'spm'} name of tests/text/vectors */
export async function tinyTable(name) {
  const tokenizer = await openTokenizer(vocabularyFile(name));
  return TokenTable.of(tokenizer, tokenizer.vocabulary.tokens.length);
}

/** @param {Grammar} grammar @param {string | Uint8Array} text @returns {boolean} */
export function accepts(grammar, text) {
  const matcher = constrain(grammar, BYTES).matcher();
  const bytes = typeof text === 'string' ? UTF8.encode(text) : text;
  try {
    for (const byte of bytes) matcher.accept(byte);
  } catch {
    return false;
  }
  return matcher.done;
}

/** Whether the mask allows an id, which then is accepted. @param {Matcher} matcher @param {number} id */
export function take(matcher, id) {
  if (!allowed(matcher.mask(), id)) return false;
  matcher.accept(id);
  return true;
}

/** @param {Uint32Array} mask @param {number} id */
export function allowed(mask, id) {
  return (mask[id >> 5] >>> (id & 31) & 1) === 1;
}

/** @param {Uint32Array} mask @returns {number[]} ids that it allows */
export function idsOf(mask) {
  return [...mask].flatMap((word, i) =>
    word === 0
      ? []
      : Array.from({ length: 32 }, (_, bit) => 32 * i + bit).filter((id) => allowed(mask, id))
  );
}

/**
 * Draws among all allowed tokens until the text ends.
 *
 * @param {Matcher} matcher
 * @param {TokenTable} table
 * @param {(count: number) => number} below
 * @returns {number[]} ids
 */
export function draw(matcher, table, below) {
  const ids = [];
  while (!matcher.mustEnd) {
    const choices = idsOf(matcher.mask());
    const id = choices[below(choices.length)];
    matcher.accept(id);
    if (!table.endIds.includes(id)) ids.push(id);
  }
  return ids;
}

/** @param {TokenTable} table @param {number[]} ids @returns {string} must be UTF-8 */
export function textOf(table, ids) {
  const bytes = Uint8Array.from(ids.flatMap((id) => [...table.pieces[id]]));
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}
