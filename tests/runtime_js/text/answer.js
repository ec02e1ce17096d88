/**
 * What the JavaScript tokenizer gives for the questions of tests/text/test_js_twin.py: JSON on
 * standard input → JSON on standard output.
 */

import { MdstError } from '../../../runtime_js/runtime/errors.js';
import {
  expandVocabulary,
  openTokenizer,
  StreamDecoder,
} from '../../../runtime_js/runtime/text/tokenizer.js';
import { Pretokenizer } from '../../../runtime_js/runtime/text/pretokenize.js';

/**
 * @import { Vocabulary } from '../../../runtime_js/runtime/text/compact.js'
 * @import { Tokenizer } from '../../../runtime_js/runtime/text/tokenizer.js'
 */

/**
 * `encode_flags`: [add special, parse special]; `decode_flags`: [special, whole].
 * @typedef {object} Questions
 * @property {string} file path of a vocabulary file
 * @property {string[]} texts
 * @property {number[][]} id_lists
 * @property {[boolean, boolean][]} encode_flags
 * @property {[boolean, boolean][]} decode_flags
 *
 * @typedef {{ patterns: string[], texts: string[] }} Split
 */

const request = JSON.parse(await new Response(Deno.stdin.readable).text());
console.log(JSON.stringify(await answer(request)));

/** @param {Questions | { splits: Split[] } | { files: string[] }} request */
function answer(request) {
  if ('splits' in request) return request.splits.map(split);
  if ('files' in request) return request.files.map(outcome);
  return tokenize(request);
}

/** @param {Split} question */
function split({ patterns, texts }) {
  const pretokenizer = new Pretokenizer(patterns);
  return texts.map((text) => pretokenizer.split(text));
}

/**
 * 'read', or the code of the error.
 * @param {string} file in base64
 */
function outcome(file) {
  try {
    expandVocabulary(Uint8Array.from(atob(file), (c) => c.charCodeAt(0)).buffer);
  } catch (error) {
    if (error instanceof MdstError) return error.code;
    throw error;
  }
  return 'read';
}

/** @param {Questions} questions */
async function tokenize({ file, texts, id_lists, encode_flags, decode_flags }) {
  const buffer = Deno.readFileSync(file).buffer;
  const tokenizer = await openTokenizer(buffer);
  return {
    load_ms: await loadTime(buffer),
    fields: fields(tokenizer.vocabulary),
    pieces: Array.from(tokenizer.vocabulary.types, (_, id) => hex(tokenizer, [id], true, false)),
    encoded: texts.map((text) =>
      encode_flags.map(([addSpecial, parseSpecial]) =>
        tokenizer.encode(text, { addSpecial, parseSpecial })
      )
    ),
    decoded: id_lists.map((ids) =>
      decode_flags.map(([special, whole]) => hex(tokenizer, ids, special, whole))
    ),
    texts: id_lists.map((ids) => tokenizer.decodeText(ids)),
    streamed: id_lists.map((ids) => stream(tokenizer, ids)),
  };
}

/**
 * The best of some, since other work on the machine only ever adds.
 * @param {ArrayBuffer} buffer
 */
async function loadTime(buffer) {
  let best = Infinity;
  for (let i = 0; i < 4 || (i < 40 && best >= 100); i++) {
    const start = performance.now();
    (await openTokenizer(buffer)).encode('The quick brown fox.');
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** @param {Vocabulary} vocabulary */
function fields({ tokens, types, scores, merges, charsmap, ...rest }) {
  const { lefts, rights, results } = merges;
  return {
    ...rest,
    tokens: Array.from(types, (_, id) => toHex(tokens.at(id))),
    types: [...types],
    charsmap: toHex(charsmap),
    scores: scores && [...scores],
    merges: Array.from(lefts, (left, i) => [left, rights[i], results[i]]),
  };
}

/**
 * @param {Tokenizer} tokenizer
 * @param {number[]} ids
 * @param {boolean} special
 * @param {boolean} whole
 */
function hex(tokenizer, ids, special, whole) {
  return toHex(tokenizer.decode(ids, { special, whole }));
}

/** @param {Uint8Array} bytes */
function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * @param {Tokenizer} tokenizer
 * @param {number[]} ids
 */
function stream(tokenizer, ids) {
  const decoder = new StreamDecoder(tokenizer);
  const parts = ids.map((id) => decoder.push(id));
  return [...parts, decoder.flush()];
}
