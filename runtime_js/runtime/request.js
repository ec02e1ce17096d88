/**
 * What a caller asks for → how tokens are drawn, and when it is enough; refused when it makes no
 * sense.
 *
 * @import { Manifest } from './manifest.d.ts'
 * @import { ChatRequest, CompletionRequest, GenerationRequest } from '../mdst.d.ts'
 */

import {
  checkId,
  checkIds,
  checkNames,
  invalid,
  readNumber,
  readObject,
  readOption,
  show,
} from './checks.js';
import { MdstError } from './errors.js';

const OFF = -3e38; // the logarithm of min-p 0
const MAX_STEPS = 32;
const MAX_TOKENS = 128;
const MAX_CHOICES = 128;
const MOST_LOGPROBS = 20;
const ANY_COUNT = { usual: NaN, least: 0, most: 2 ** 32 - 1, whole: true };

/** Defaults and ranges of numbers; `whole`: integers only. */
const NUMBERS = /** @type {const} */ ({
  temperature: { usual: 1, least: 0, most: 1e6, whole: false },
  top_p: { usual: 1, least: 0, most: 1, whole: false },
  top_k: { usual: 0, least: 0, most: 2 ** 32 - 1, whole: true },
  min_p: { usual: 0, least: 0, most: 1, whole: false },
  repetition_penalty: { usual: 1, least: 1e-3, most: 1e3, whole: false },
  presence_penalty: { usual: 0, least: -1e3, most: 1e3, whole: false },
  frequency_penalty: { usual: 0, least: -1e3, most: 1e3, whole: false },
  seed: { usual: NaN, least: 0, most: Number.MAX_SAFE_INTEGER, whole: true },
  steps: { usual: 0, least: 1, most: MAX_STEPS, whole: true },
  n: { usual: 1, least: 1, most: MAX_CHOICES, whole: true },
});

const FOR_ALL = [
  ...Object.keys(NUMBERS),
  ...['max_tokens', 'logit_bias', 'stop', 'logprobs', 'ignore_eos', 'on_full'],
  ...['stream', 'stream_options', 'response_format'],
  ...['model', 'user', 'metadata', 'store'], // for a server's books; of no effect here
];
const OF_COMPLETIONS = new Set([...FOR_ALL, 'prompt', 'echo']);
const OF_CHATS = new Set([
  ...FOR_ALL,
  ...['messages', 'tools', 'tool_choice', 'chat_template_kwargs'],
  ...['max_completion_tokens', 'top_logprobs'],
]);

/** @typedef {object | boolean | 'anyObject'} Schema */

/**
 * @typedef {{
 *   maxTokens: number,
 *   sampling: Record<string, number | number[]>,
 *   seed: number,
 *   choices: number,
 *   penalties: boolean,
 *   bias: [number, number][],
 *   stops: string[],
 *   logprobs: number | null,
 *   schema: Schema | null,
 *   ignoreEos: boolean,
 *   slide: boolean,
 *   steps: number,
 *   includeUsage: boolean,
 * }} Request `maxTokens` Infinity: as many as the context has room for; `sampling`: fields of the
 *   state; `logprobs`: how many tokens beside the one that was drawn, null for none at all;
 *   `schema`: what the answer must be as JSON, `anyObject`: an object; `steps` 0: as many as fit the
 *   device
 */

/**
 * @param {Omit<CompletionRequest, 'signal'>} given
 * @param {Manifest} manifest
 * @param {'slide' | 'stop'} onFull what happens unless the request says otherwise
 * @returns {Request & { echo: boolean }}
 * @throws {MdstError} 'invalid_request'
 */
export function readRequest(given, manifest, onFull) {
  checkNames(readObject('request', given), OF_COMPLETIONS);
  const range = { usual: NaN, least: 0, most: MOST_LOGPROBS, whole: true };
  const logprobs = readNumber('logprobs', given.logprobs, range);
  const echo = readOption('echo', given.echo, [false, true]);
  if (echo && !Number.isNaN(logprobs)) {
    throw invalid('echo has no logprobs: engine.logits gives those of a prompt', 'echo');
  }
  return {
    ...readCommon(given, manifest, onFull),
    maxTokens: readNumber('max_tokens', given.max_tokens, { ...ANY_COUNT, usual: MAX_TOKENS }),
    logprobs: Number.isNaN(logprobs) ? null : logprobs,
    echo,
  };
}

/**
 * @param {Omit<ChatRequest, 'signal'>} given
 * @param {Manifest} manifest
 * @param {'slide' | 'stop'} onFull
 * @returns {Request}
 * @throws {MdstError} 'invalid_request'
 */
export function readChatRequest(given, manifest, onFull) {
  checkNames(readObject('request', given), OF_CHATS);
  const older = readNumber('max_tokens', given.max_tokens, ANY_COUNT);
  const name = 'max_completion_tokens';
  const most = readNumber(name, given.max_completion_tokens, { ...ANY_COUNT, usual: older });
  const wanted = readOption('logprobs', given.logprobs, [false, true]);
  const range = { usual: 0, least: 0, most: MOST_LOGPROBS, whole: true };
  const top = readNumber('top_logprobs', given.top_logprobs, range);
  if (top > 0 && !wanted) throw invalid('top_logprobs needs logprobs: true', 'top_logprobs');
  return {
    ...readCommon(given, manifest, onFull),
    maxTokens: Number.isNaN(most) ? Infinity : most,
    logprobs: wanted ? top : null,
  };
}

/**
 * @param {GenerationRequest} given
 * @param {Manifest} manifest
 * @param {'slide' | 'stop'} onFull
 */
function readCommon(given, manifest, onFull) {
  const n = Object.fromEntries(
    Object.entries(NUMBERS).map(([name, range]) => [
      name,
      readNumber(name, /** @type {any} */ (given)[name], range),
    ]),
  );
  const seed = Number.isNaN(n.seed) ? crypto.getRandomValues(new Uint32Array(1))[0] : n.seed;
  readOption('stream', given.stream, [false, true]);
  const { include_usage, ...others } = readObject('stream_options', given.stream_options);
  checkNames(others, new Set(), 'stream_options.');
  return {
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
    choices: n.n,
    penalties: n.repetition_penalty !== 1 || n.presence_penalty !== 0 || n.frequency_penalty !== 0,
    bias: readBias(given.logit_bias, manifest.model.vocabulary),
    stops: readStops(given.stop),
    schema: readFormat(given.response_format),
    ignoreEos: readOption('ignore_eos', given.ignore_eos, [false, true]),
    slide: readOption('on_full', given.on_full, [onFull, 'slide', 'stop']) === 'slide',
    steps: n.steps,
    includeUsage: readOption('stream_options.include_usage', include_usage, [false, true]),
  };
}

/**
 * @param {GenerationRequest['logit_bias']} given
 * @param {number} vocabulary
 * @returns {[number, number][]}
 */
function readBias(given, vocabulary) {
  return Object.entries(readObject('logit_bias', given)).map(([key, value]) => {
    checkId(Number(key), vocabulary, 'logit_bias');
    if (typeof value !== 'number' || Number.isNaN(value)) {
      const message = `logit_bias of token ${key} is ${show(value)}, but must be a number`;
      throw invalid(message, 'logit_bias');
    }
    return [Number(key), value];
  });
}

/** @param {unknown} given @returns {string[]} */
function readStops(given) {
  const stops = Array.isArray(given) ? given : [given ?? []].flat();
  for (const stop of stops) {
    if (typeof stop !== 'string' || stop === '') {
      throw invalid(`stop has ${show(stop)}, but must be texts that are not empty`, 'stop');
    }
  }
  return stops;
}

/** @param {GenerationRequest['response_format']} given @returns {Request['schema']} */
function readFormat(given) {
  const { type, json_schema, ...others } = readObject('response_format', given);
  checkNames(others, new Set(), 'response_format.');
  const types = ['text', 'json_object', 'json_schema'];
  switch (readOption('response_format.type', type, types)) {
    case 'json_object':
      return 'anyObject';
    case 'json_schema': {
      const { schema } = readObject('response_format.json_schema', json_schema);
      const name = 'response_format.json_schema.schema';
      if (typeof schema === 'boolean') return schema;
      try {
        JSON.stringify(readObject(name, schema ?? ''));
      } catch {
        throw invalid(`${name} is ${show(schema)}, but must be a JSON schema`, name);
      }
      return schema;
    }
    default:
      return null;
  }
}

/**
 * @param {readonly number[]} ids
 * @param {Manifest} manifest
 * @param {string} [param] where they come from
 * @throws {MdstError} 'invalid_request', 'context_length_exceeded'
 */
export function checkPrompt(ids, manifest, param = 'prompt') {
  if (ids.length === 0) throw invalid('the prompt has no tokens', param);
  checkIds(ids, manifest.model.vocabulary, param);
  const { window } = manifest.context;
  if (ids.length > window) {
    const message = `the prompt has ${ids.length} tokens, but the context holds ${window}`;
    throw new MdstError('context_length_exceeded', message, { param });
  }
}
