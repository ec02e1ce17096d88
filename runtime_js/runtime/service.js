/**
 * What an engine does, as methods of plain arguments: called by a worker's messages, or directly.
 *
 * @import { Ability, BundleOptions, CompletionRequest, Stats } from '../mdst.d.ts'
 * @import { Job, Result } from './completions.js'
 * @import { Loaded } from './load.js'
 */

import { memoryOf } from './bundle.js';
import { chunk, complete, envelope, lastChunk, promptIds, wholeCompletion } from './completions.js';
import { MdstError } from './errors.js';
import { loadModel } from './load.js';
import { readLogits } from './logits.js';
import { checkId, checkPrompt, invalid, readOption, readRequest } from './request.js';
import { Turns } from './turns.js';

/**
 * `onPart` gets what comes before the answer: progress of a load, chunks of a stream.
 *
 * @typedef {{ signal: AbortSignal, onPart: (part: any) => void }} Call
 * @typedef {Record<string, (argument: any, call: Call) => Promise<any>>} Methods
 * @typedef {{ base: string, tier?: string, device?: 'auto' | 'webgpu', on_full?: 'slide' | 'stop',
 *   sinks?: number }} LoadArguments
 */

export class Service {
  constructor() {
    /** @type {Loaded | null} */
    this.loaded = null;
    this.turns = new Turns();
    this.ending = new AbortController();
    /** @type {'slide' | 'stop'} */
    this.onFull = 'slide';
    this.sinks = 0;
    /** @type {Stats['last']} */
    this.last = null;
  }

  /** @param {LoadArguments} options @param {Call} call */
  async load({ base, tier, device, on_full, sinks }, { signal, onPart }) {
    readOption('device', device, ['auto', 'webgpu']);
    this.onFull = readOption('on_full', on_full, ['slide', 'stop']);
    const loaded = await loadModel(new URL(base), tier, signal, onPart);
    const { context } = loaded.model.manifest;
    this.sinks = sinks ?? context.sinks;
    if (!Number.isInteger(this.sinks) || this.sinks < 0 || this.sinks > context.max_sinks) {
      loaded.model.close();
      throw invalid(`sinks is ${sinks}, but must be an integer from 0 to ${context.max_sinks}`);
    }
    this.loaded = loaded;
    loaded.model.device.onFailure = (error) => this.ending.abort(error);
  }

  /** @returns {Loaded} @throws {MdstError} 'unloaded', or what made the device useless */
  get running() {
    if (this.loaded === null) throw new MdstError('unloaded', 'the model was unloaded');
    this.loaded.model.device.assertUsable();
    return this.loaded;
  }

  /**
   * A completion, or with `stream` its chunks as parts; the first part, null, says that the request
   * was accepted.
   *
   * @param {CompletionRequest} given
   * @param {Call} call
   */
  async create(given, { signal, onPart }) {
    const { model, tokenizer } = this.running;
    const request = readRequest(given, model.manifest, this.onFull);
    const endIds = request.ignoreEos ? [] : [...tokenizer.vocabulary.end_ids];
    /** @type {Job} */
    const job = {
      ids: promptIds(given.prompt, tokenizer, model),
      request: { ...request, endIds, sinks: this.sinks },
    };
    const head = envelope(model);
    if (!given.stream) return wholeCompletion(head, await this.generate(job, signal, () => {}));
    onPart(null);
    const show = (/** @type {string} */ text, /** @type {number[]} */ tokens) =>
      onPart(chunk(head, text, tokens));
    onPart(lastChunk(head, await this.generate(job, signal, show)));
  }

  /**
   * @param {Job} job
   * @param {AbortSignal} signal
   * @param {(text: string, tokens: number[]) => void} onPiece
   */
  async generate(job, signal, onPiece) {
    const result = await this.turns.run(() => {
      const { model, tokenizer } = this.running;
      const either = AbortSignal.any([signal, this.ending.signal]);
      return complete(model, tokenizer, job, either, onPiece);
    });
    void this.running; // a device that failed on the way leaves half a text
    this.last = figures(result);
    return result;
  }

  /** @param {{ text: string, addSpecial?: boolean, parseSpecial?: boolean }} argument */
  tokenize({ text, addSpecial = false, parseSpecial = false }) {
    if (typeof text !== 'string') throw invalid('tokenize takes a text');
    return Promise.resolve(this.running.tokenizer.encode(text, { addSpecial, parseSpecial }));
  }

  /** @param {{ ids: number[] }} argument */
  detokenize({ ids }) {
    const { tokenizer, model } = this.running;
    for (const id of ids) checkId(id, model.manifest.model.vocabulary);
    return Promise.resolve(tokenizer.decodeText(ids, { special: true, whole: true }));
  }

  /** @param {{ ids: number[], prefill?: boolean, last?: number }} argument */
  logits({ ids, prefill = false, last = Infinity }) {
    return this.turns.run(async () => {
      const { model } = this.running;
      if (prefill) checkPrompt(ids, model.manifest);
      for (const id of ids) checkId(id, model.manifest.model.vocabulary);
      return await readLogits(model, ids, { prefill, last, sinks: this.sinks });
    });
  }

  /** @returns {Promise<Omit<Stats, 'worker'>>} */
  stats() {
    const { model, stats } = this.running;
    const { name, architecture, parameters, layers } = model.manifest.model;
    return Promise.resolve({
      ...stats,
      model: { name, architecture, parameters, layers },
      tier: model.tier.name,
      context: model.window,
      memory: memoryOf(model.manifest),
      dispatches_per_token: model.programs.decode.length,
      last: this.last,
    });
  }

  unload() {
    this.ending.abort();
    this.loaded?.model.close();
    this.loaded = null;
    return Promise.resolve();
  }
}

/** @param {Result} result @returns {Stats['last']} */
function figures({ usage, timings, steps }) {
  const { prompt_tokens, cached_tokens, completion_tokens } = usage;
  const { prefill_seconds, decode_seconds } = timings;
  return {
    ...usage,
    ...timings,
    tokens_per_submit: steps,
    prefill_tokens_per_second: rate(prompt_tokens - cached_tokens, prefill_seconds),
    decode_tokens_per_second: rate(completion_tokens - 1, decode_seconds),
  };
}

/** @param {number} count @param {number} seconds */
function rate(count, seconds) {
  return count > 0 && seconds > 0 ? count / seconds : 0;
}

/**
 * @param {Service} service
 * @param {{ method: string, argument: any }} order
 * @param {Call} call
 * @returns {Promise<any>}
 */
export async function dispatch(service, { method, argument }, call) {
  switch (method) {
    case 'load':
      return await service.load(argument, call);
    case 'create':
      return await service.create(argument, call);
    case 'tokenize':
      return await service.tokenize(argument);
    case 'detokenize':
      return await service.detokenize(argument);
    case 'logits':
      return await service.logits(argument);
    case 'stats':
      return await service.stats();
    case 'unload':
      return await service.unload();
    default:
      throw new Error(`no method ${method}`);
  }
}
