/**
 * What a caller asks for → what the GPU is told; refused when it makes no sense.
 *
 * @import { Manifest } from './manifest.d.ts'
 * @import { CompletionRequest } from '../mdst.d.ts'
 */

import { MdstError } from './errors.js';

const OFF = -3e38; // the logarithm of min-p 0
const MAX_STEPS = 32;
const MAX_TOKENS = 128;

/** Defaults and ranges of numbers; `whole`: integers only. */
const NUMBERS = /** @type {const} */ ({
  max_tokens: { usual: MAX_TOKENS, least: 0, most: 2 ** 32 - 1, whole: true },
  temperature: { usual: 1, least: 0, most: 1e6, whole: false },
  top_p: { usual: 1, least: 0, most: 1, whole: false },
  top_k: { usual: 0, least: 0, most: 2 ** 32 - 1, whole: true },
  min_p: { usual: 0, least: 0, most: 1, whole: false },
  repetition_penalty: { usual: 1, least: 1e-3, most: 1e3, whole: false },
  presence_penalty: { usual: 0, least: -1e3, most: 1e3, whole: false },
  frequency_penalty: { usual: 0, least: -1e3, most: 1e3, whole: false },
  seed: { usual: NaN, least: 0, most: Number.MAX_SAFE_INTEGER, whole: true },
  steps: { usual: 0, least: 1, most: MAX_STEPS, whole: true },
});

/**
 * @typedef {{
 *   maxTokens: number,
 *   sampling: Record<string, number | number[]>,
 *   seed: number,
 *   penalties: boolean,
 *   bias: [number, number][],
 *   stops: string[],
 *   ignoreEos: boolean,
 *   slide: boolean,
 *   steps: number,
 * }} Request `sampling`: fields of the state; `steps` 0: as many as fit the device
 */

/**
 * @param {Omit<CompletionRequest, 'signal'>} given
 * @param {Manifest} manifest
 * @param {'slide' | 'stop'} onFull what happens unless the request says otherwise
 * @returns {Request}
 * @throws {MdstError} 'invalid_request'
 */
export function readRequest(given, manifest, onFull) {
  const n = Object.fromEntries(
    Object.entries(NUMBERS).map(([name, range]) => [
      name,
      readNumber(name, /** @type {any} */ (given)[name], range),
    ]),
  );
  const seed = Number.isNaN(n.seed) ? crypto.getRandomValues(new Uint32Array(1))[0] : n.seed;
  return {
    maxTokens: n.max_tokens,
    seed,
    sampling: {
      seed: [seed % 2 ** 32, Math.floor(seed / 2 ** 32)],
      choice: 0,
      top_k: n.top_k,
      temperature: n.temperature,
      top_p: n.top_p,
      log_min_p: n.min_p > 0 ? Math.log(n.min_p) : OFF,
      repetition_penalty: n.repetition_penalty,
      presence_penalty: n.presence_penalty,
      frequency_penalty: n.frequency_penalty,
    },
    penalties: n.repetition_penalty !== 1 || n.presence_penalty !== 0 || n.frequency_penalty !== 0,
    bias: readBias(given.logit_bias, manifest.model.vocabulary),
    stops: readStops(given.stop),
    ignoreEos: readOption('ignore_eos', given.ignore_eos, [false, true]),
    slide: readOption('on_full', given.on_full, [onFull, 'slide', 'stop']) === 'slide',
    steps: n.steps,
  };
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {{ usual: number, least: number, most: number, whole: boolean }} range
 */
function readNumber(name, value, { usual, least, most, whole }) {
  if (value === undefined || value === null) return usual;
  const fits = typeof value === 'number' && value >= least && value <= most;
  if (fits && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? 'an integer' : 'a number';
  throw invalid(`${name} is ${show(value)}, but must be ${kind} from ${least} to ${most}`);
}

/**
 * @template T
 * @param {string} name
 * @param {T | null | undefined} value
 * @param {T[]} allowed the first is the default
 */
export function readOption(name, value, allowed) {
  if (value === undefined || value === null) return allowed[0];
  if (allowed.includes(value)) return value;
  const names = [...new Set(allowed)].map(show).join(' or ');
  throw invalid(`${name} is ${show(value)}, but must be ${names}`);
}

/**
 * @param {CompletionRequest['logit_bias']} given
 * @param {number} vocabulary
 * @returns {[number, number][]}
 */
function readBias(given, vocabulary) {
  return Object.entries(given ?? {}).map(([key, value]) => {
    checkId(Number(key), vocabulary);
    if (typeof value !== 'number' || Number.isNaN(value)) {
      throw invalid(`logit_bias of token ${key} is ${show(value)}, but must be a number`);
    }
    return [Number(key), value];
  });
}

/** @param {CompletionRequest['stop']} given @returns {string[]} */
function readStops(given) {
  const stops = typeof given === 'string' ? [given] : [...(given ?? [])];
  for (const stop of stops) {
    if (typeof stop !== 'string' || stop === '') {
      throw invalid(`stop has ${show(stop)}, but must be texts that are not empty`);
    }
  }
  return stops;
}

/**
 * @param {readonly number[]} ids
 * @param {Manifest} manifest
 * @throws {MdstError} 'invalid_request', 'context_length_exceeded'
 */
export function checkPrompt(ids, manifest) {
  if (ids.length === 0) throw invalid('the prompt has no tokens');
  for (const id of ids) checkId(id, manifest.model.vocabulary);
  const { window } = manifest.context;
  if (ids.length > window) {
    throw new MdstError(
      'context_length_exceeded',
      `the prompt has ${ids.length} tokens, but the context holds ${window}`,
    );
  }
}

/** @param {number} id @param {number} vocabulary */
export function checkId(id, vocabulary) {
  if (Number.isInteger(id) && id >= 0 && id < vocabulary) return;
  throw invalid(`token id ${show(id)} is not one of 0 to ${vocabulary - 1}`);
}

/** @param {string} message */
export function invalid(message) {
  return new MdstError('invalid_request', message);
}

/** @param {unknown} value */
function show(value) {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
