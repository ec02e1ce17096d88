/**
 * What an engine does, as methods of plain arguments: called by a worker's messages, or directly.
 *
 * @import { ChatOptions, ChatRequest, CompletionRequest, DeviceName, Profile, Stats } from '../mdst.d.ts'
 * @import { Job, Part, Summary } from './completions.js'
 * @import { Running } from './executor.d.ts'
 * @import { Loaded, Wanted } from './load.js'
 * @import { Request } from './request.js'
 * @import { Shape } from './shapes.js'
 */

import { chatIds, render } from './chat/template.js';
import { checkIds, invalid, readOption } from './checks.js';
import { complete } from './completions.js';
import { Constraints } from './constraints.js';
import { readDevice } from './devices.js';
import { MdstError } from './errors.js';
import { loadModel } from './load.js';
import { checkPrompt, readChatRequest, readRequest } from './request.js';
import { chatShape, headOf, textShape } from './shapes.js';
import { Turns } from './turns.js';

/**
 * `onPart` gets what comes before the answer: progress of a load, chunks of a stream.
 *
 * @typedef {{ signal: AbortSignal, onPart: (part: any) => void }} Call
 * @typedef {Record<string, (argument: any, call: Call) => Promise<any>>} Methods
 * @typedef {{ base: string, tier?: string, cache?: boolean | 'persist', asked?: number,
 *   device?: 'auto' | DeviceName, threads?: number, worker: boolean,
 *   gpuInPage?: boolean, profile?: boolean | 'again', on_full?: 'slide' | 'stop', sinks?: number }} LoadArguments
 */

/** @type {(boolean | 'again')[]} */
const PROFILE = [true, false, 'again'];

const MOST_TRIES = 2; // other devices for one request

export class Service {
  constructor() {
    /** @type {Loaded & { constraints: Constraints } | null} */
    this.loaded = null;
    this.turns = new Turns();
    this.ending = new AbortController();
    /** @type {'slide' | 'stop'} */
    this.onFull = 'slide';
    /** @type {Wanted | null} */
    this.wanted = null;
    this.replaced = 0;
    /** @type {Stats['last']} */
    this.last = null;
  }

  /** @param {LoadArguments} options @param {Call} call */
  async load({ base, cache, asked, on_full, sinks, ...given }, { signal, onPart }) {
    const device = readDevice(given);
    const { tier, threads, worker, gpuInPage } = given;
    this.onFull = readOption('on_full', on_full, ['slide', 'stop']);
    const keep = readOption('cache', cache, [true, false, 'persist']) !== false;
    const profile = readOption('profile', given.profile, PROFILE);
    const where = { device, tier, profile, threads, worker, gpuInPage, sinks };
    const wanted = { ...where, base: new URL(base), cache: keep };
    this.wanted = wanted;
    const loaded = await loadModel({ ...wanted, asked }, signal, onPart);
    const { model, tokenizer } = loaded;
    const { vocabulary } = model.manifest.model;
    this.loaded = { ...loaded, constraints: new Constraints(tokenizer, vocabulary) };
  }

  /** @returns {Loaded & { constraints: Constraints }} @throws {MdstError} 'unloaded' */
  get running() {
    if (this.loaded === null) throw new MdstError('unloaded', 'the model was unloaded');
    return this.loaded;
  }

  /**
   * Loads the same model again when the browser has taken its device away; what was computed on it
   * is lost.
   *
   * @param {unknown} error why the device failed
   * @param {boolean} last whether no other device will be tried after this one
   * @returns {Promise<Running>}
   * @throws the error, where another device does not help or cannot be had
   */
  async replace(error, last) {
    const { model, constraints, stats: { tuning, refused } } = this.running;
    if (!(error instanceof MdstError) || error.code !== 'device_lost' || !this.wanted) throw error;
    model.close();
    const found = tuning === null ? undefined : { tuning, refused, begun: 0 };
    const wanted = { ...this.wanted, found };
    if (last && wanted.device === 'auto') wanted.device = 'wasm'; // GPUs do not stay
    if (model.stats().device === 'wasm') wanted.threads = 1; // one of them has died
    const again = await loadModel(wanted, this.ending.signal, () => {}).catch(() => null);
    const sameBuild = JSON.stringify(again?.model.manifest) === JSON.stringify(model.manifest);
    if (again === null || this.loaded === null || !sameBuild) {
      again?.model.close();
      void this.running;
      throw error;
    }
    this.loaded = { ...again, constraints };
    this.replaced += 1;
    return again.model;
  }

  /**
   * Text that goes on from a prompt: whole, or with `stream` its chunks as parts, of which the
   * first, null, says that the request was accepted.
   *
   * @param {CompletionRequest} given
   * @param {Call} call
   */
  async complete(given, call) {
    const { model: { manifest }, tokenizer } = this.running;
    const request = readRequest(given, manifest, this.onFull);
    const { prompt } = given;
    const isText = typeof prompt === 'string';
    if (!isText && !Array.isArray(prompt)) {
      throw invalid('prompt must be a text or a list of token ids', 'prompt');
    }
    const ids = isText ? tokenizer.encode(prompt, { addSpecial: true }) : prompt;
    checkPrompt(ids, manifest);
    const whole = { special: true, whole: true };
    const echo = !request.echo ? '' : isText ? prompt : tokenizer.decodeText(ids, whole);
    const shape = textShape(headOf('cmpl', manifest.model.name), tokenizer, echo);
    return await this.answer(given, ids, request, shape, call);
  }

  /**
   * An assistant's answer to messages, otherwise as `complete`.
   *
   * @param {ChatRequest} given
   * @param {Call} call
   */
  async chat(given, call) {
    const { model: { manifest }, tokenizer } = this.running;
    const request = readChatRequest(given, manifest, this.onFull);
    const ids = chatIds(await this.applyChatTemplate(given), tokenizer);
    checkPrompt(ids, manifest, 'messages');
    const shape = chatShape(headOf('chatcmpl', manifest.model.name), tokenizer);
    return await this.answer(given, ids, request, shape, call);
  }

  /**
   * @param {Pick<ChatRequest, 'messages' | keyof ChatOptions>} given
   * @returns {Promise<string>} the prompt that the chat template makes
   */
  async applyChatTemplate(given) {
    const { template, tokenizer } = this.running;
    if (template !== null) return await render(template, given, tokenizer);
    throw new MdstError('no_chat_template', 'the model has no chat template');
  }

  /**
   * @param {{ stream?: boolean | null }} given
   * @param {readonly number[]} ids
   * @param {Request} request
   * @param {Shape<unknown, unknown>} shape
   * @param {Call} call
   */
  async answer({ stream }, ids, request, shape, { signal, onPart }) {
    const { model: { manifest }, tokenizer, constraints, sinks } = this.running;
    const room = Math.max(1, manifest.context.window - ids.length);
    const maxTokens = request.maxTokens === Infinity ? room : request.maxTokens;
    const constraint = await constraints.of(request.schema);
    const goesOn = request.ignoreEos && constraint === null; // after JSON there is nothing to say
    const endIds = goesOn ? [] : [...tokenizer.vocabulary.end_ids];
    const ready = { ...request, maxTokens, endIds, constraint, sinks };
    const job = { ids, request: ready };
    if (!stream) {
      /** @type {Part[]} */
      const parts = [];
      await this.generate(job, signal, (part) => parts.push(part));
      return shape.whole(parts);
    }
    onPart(null);
    let index = -1;
    await this.generate(job, signal, (part) => {
      onPart(shape.chunk(part, part.index !== index));
      index = part.index;
      if (part.summary && request.includeUsage) onPart(shape.usage(part));
    });
  }

  /**
   * @param {Job} job
   * @param {AbortSignal} signal
   * @param {(part: Part) => void} onPart
   */
  async generate(job, signal, onPart) {
    await this.turns.run(async () => {
      const { model, tokenizer } = this.running;
      const either = AbortSignal.any([signal, this.ending.signal]);
      let tries = MOST_TRIES;
      const replace = (/** @type {unknown} */ error) => {
        if (tries === 0) throw error;
        tries -= 1;
        return this.replace(error, tries === 0);
      };
      for await (const part of complete({ executor: model, replace }, tokenizer, job, either)) {
        if (part.summary) {
          this.running.model.assertUsable(); // else half a text may be missing
          this.last = figures(part.summary);
        }
        onPart(part);
      }
    });
  }

  /** @param {{ text: string, addSpecial?: boolean, parseSpecial?: boolean }} argument */
  tokenize({ text, addSpecial = false, parseSpecial = false }) {
    if (typeof text !== 'string') throw invalid('tokenize takes a text', 'text');
    return Promise.resolve(this.running.tokenizer.encode(text, { addSpecial, parseSpecial }));
  }

  /** @param {{ ids: number[] }} argument */
  detokenize({ ids }) {
    const { tokenizer, model } = this.running;
    checkIds(ids, model.manifest.model.vocabulary, 'ids');
    return Promise.resolve(tokenizer.decodeText(ids, { special: true, whole: true }));
  }

  /** @param {{ ids: number[], prefill?: boolean, last?: number }} argument */
  logits({ ids, prefill = false, last = Infinity }) {
    return this.turns.run(async () => {
      const { model, sinks } = this.running;
      checkIds(ids, model.manifest.model.vocabulary, 'ids');
      if (prefill) checkPrompt(ids, model.manifest, 'ids');
      const { readLogits } = await import('./logits.js');
      return await readLogits(model, ids, { prefill, last, sinks });
    });
  }

  /** @returns {Promise<Omit<Stats, 'worker'>>} */
  stats() {
    const { model, template, stats } = this.running;
    const { context, model: { name, architecture, parameters, layers } } = model.manifest;
    return Promise.resolve({
      ...stats,
      ...model.stats(),
      model: { name, architecture, parameters, layers },
      chat: template !== null,
      replaced: this.replaced,
      context: context.window,
      last: this.last,
    });
  }

  /** @returns {Promise<Profile>} */
  profile() {
    return this.turns.run(async () => await this.running.model.profile());
  }

  unload() {
    this.ending.abort();
    this.loaded?.model.close();
    this.loaded = null;
    return Promise.resolve();
  }
}

/** @param {Summary} summary @returns {Stats['last']} */
function figures({ usage, timings, steps }) {
  const { prompt_tokens, completion_tokens, prompt_tokens_details: { cached_tokens } } = usage;
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
 * @param {{ method: string, argument: any }} order by an engine
 * @param {Call} call
 * @returns {Promise<any>}
 */
export async function dispatch(service, { method, argument }, call) {
  return await /** @type {Methods} */ (/** @type {unknown} */ (service))[method](argument, call);
}
