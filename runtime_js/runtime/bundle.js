/**
 * The small files of a bundle.
 *
 * @import { Manifest, Tier } from './manifest.d.ts'
 * @import { Memory } from '../mdst.d.ts'
 */

import { MdstError } from './errors.js';
import { fetchFile } from './fetching.js';

/** The only `format` of a manifest that this runtime reads. */
const FORMAT = 1;

/**
 * @param {URL} base
 * @param {AbortSignal} [signal]
 * @returns {Promise<Manifest>}
 * @throws {MdstError} 'download_failed', 'format', 'aborted'
 */
export async function fetchManifest(base, signal) {
  const manifest = await fetchJson(new URL('manifest.json', base), signal);
  const found = manifest?.format;
  if (found !== FORMAT) {
    throw new MdstError(
      'format',
      `manifest.json has format ${JSON.stringify(found)}; this runtime reads ${FORMAT}. ` +
        'Was the site updated? Reload the page.',
    );
  }
  return manifest;
}

/** @param {URL} url @param {AbortSignal} [signal] @returns {Promise<any>} */
export async function fetchJson(url, signal) {
  const text = new TextDecoder().decode(await fetchFile(url, signal));
  try {
    return JSON.parse(text);
  } catch (error) {
    const html = /^\s*</.test(text) ? ' (the server sent an HTML page in its place)' : '';
    throw new MdstError('format', `${url.pathname.split('/').pop()} is not JSON${html}`, {
      cause: error,
    });
  }
}

/**
 * @param {URL} base
 * @param {Tier} tier
 * @param {AbortSignal} signal
 * @returns {Promise<Map<string, string>>} kernel names → WGSL
 */
export async function fetchKernels(base, tier, signal) {
  const text = new TextDecoder().decode(await fetchFile(new URL(tier.wgsl, base), signal));
  /** @type {Map<string, string>} */
  const kernels = new Map();
  for (const section of text.split('//! kernel ').slice(1)) {
    const end = section.indexOf('\n');
    kernels.set(section.slice(0, end), section.slice(end + 1));
  }
  return kernels;
}

/** @param {Manifest} manifest @returns {Memory} bytes of all buffers by kind */
export function memoryOf(manifest) {
  const memory = { weights: 0, kv: 0, arena: 0, other: 0, total: 0 };
  for (const { kind, size } of manifest.buffers) {
    const known = kind === 'weights' || kind === 'kv' || kind === 'arena';
    memory[known ? kind : 'other'] += size;
    memory.total += size;
  }
  return memory;
}
