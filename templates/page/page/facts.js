/** Facts about the model, the device and the last text, as terms and values. */

/** @import { Ability, AdapterInfo, Memory, Stats, Tuning } from '../mdst.d.ts' */

import { inertLine } from './inert.js';
import {
  formatBytes,
  formatCount,
  formatLarge,
  formatMicroseconds,
  formatRate,
  formatSeconds,
} from './format.js';

/**
 * What is known before the download.
 *
 * @param {Ability} ability
 * @returns {[string, string][]}
 */
export function modelFacts({ model, download, memory, context, device }) {
  const { bytes, cached } = download;
  const kept = cached < bytes ? `, ${formatBytes(cached)} already here` : ', already here';
  return [
    ['Parameters', formatLarge(model.parameters)],
    ['Download', formatBytes(bytes) + (cached ? kept : '')],
    [memoryName(device), formatBytes(memory.total)],
    ['Context', `${formatCount(context)} tokens`],
    ['Architecture', inertLine(model.architecture)],
  ];
}

/**
 * What is known of a loaded model, and how fast its last answer was.
 *
 * @param {Stats} stats
 * @returns {[string, string][]}
 */
export function deviceFacts(stats) {
  const { last, load } = stats;
  /** @type {[string, string][]} */
  const facts = [];
  if (last) {
    facts.push(
      ['Prefill', formatRate(last.prefill_tokens_per_second)],
      ['Decode', formatRate(last.decode_tokens_per_second)],
    );
  }
  facts.push(
    ['Loaded in', formatSeconds(load.total_seconds)],
    ['Kernels', stats.tuning === null ? stats.tier : kernelsText(stats.tuning)],
    [stats.device === 'wasm' ? 'CPU' : 'GPU', deviceName(stats)],
    [memoryName(stats.device), memoryText(stats.memory)],
  );
  if (stats.device !== 'wasm') {
    facts.push(['Dispatches per token', formatCount(stats.dispatches_per_token)]);
  }
  const { kept, notice, offline } = stats.cache;
  facts.push(['Kept for the next visit', kept ? 'yes' : notice ?? 'no']);
  if (offline) facts.push(['Server', 'not reached; all is as in the last visit']);
  for (const { tier, program, microseconds } of stats.tuning?.times ?? []) {
    facts.push([`Token by ${tier}, ${program}`, formatMicroseconds(microseconds)]);
  }
  for (const { tier, program, reason } of stats.refused) {
    facts.push([`Why not ${program === null ? tier : `${tier}, ${program}`}`, reason]);
  }
  return facts;
}

/** @param {Ability['device']} device */
function memoryName(device) {
  return device === 'wasm' ? 'Memory' : 'GPU memory';
}

/**
 * @param {Pick<Ability, 'device' | 'adapter' | 'threads'>} used
 * @returns {string}
 */
export function deviceName({ device, adapter, threads }) {
  if (device !== 'wasm') return adapterName(adapter);
  return threads === 1 ? 'one thread' : `${formatCount(threads)} threads`;
}

/**
 * @param {Tuning} tuning
 * @returns {string}
 */
function kernelsText({ source, tier, programs }) {
  const how = {
    measured: ', fastest here',
    kept: ', fastest here in an earlier load',
    order: '',
    asked: ', as asked for',
  }[source];
  return `${tier} (${programs.join(', ')})${how}`;
}

/**
 * @param {AdapterInfo | null} adapter
 * @returns {string}
 */
function adapterName(adapter) {
  if (!adapter) return 'unknown';
  const { vendor, architecture, description, fallback } = adapter;
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed';
  return fallback ? `${name} (software, slow)` : name;
}

/**
 * @param {Memory} memory
 * @returns {string}
 */
function memoryText({ total, weights, kv }) {
  const rest = total - weights - kv;
  return `${formatBytes(total)}: weights ${formatBytes(weights)}, ` +
    `context ${formatBytes(kv)}, rest ${formatBytes(rest)}`;
}
