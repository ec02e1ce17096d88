/**
 * The manifest of a bundle and its small files.
 *
 * @import { Manifest, Tier } from './manifest.d.ts'
 * @import { Bytes } from './fetching.js'
 * @import { Memory } from '../mdst.d.ts'
 * @import { Form } from './wasm/modules.js'
 * @import { Source } from './storage/source.js'
 * @import { Store } from './storage/store.js'
 */

import { MdstError } from './errors.js';
import { fetchFile } from './fetching.js';

/** The only `format` of a manifest that this runtime reads. */
const FORMAT = 2;

const PAGE = 2 ** 16; // bytes by which WebAssembly counts memory

/**
 * The manifest as the server has it now, or where no server can be reached the one of the last load.
 *
 * @param {URL} base
 * @param {Store} store
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ manifest: Manifest, text: string, offline: boolean }>}
 * @throws {MdstError} 'download_failed', 'format', 'aborted'
 */
export async function readManifest(base, store, signal) {
  const { text, offline } = await manifestText(base, store, signal);
  const manifest = parseJson(text, 'manifest.json');
  const found = manifest?.format;
  if (found !== FORMAT) {
    throw new MdstError(
      'format',
      `manifest.json has format ${JSON.stringify(found)}; this runtime reads ${FORMAT}. ` +
        'Was the site updated? Reload the page.',
    );
  }
  return { manifest, text, offline };
}

/** @param {URL} base @param {Store} store @param {AbortSignal} [signal] */
async function manifestText(base, store, signal) {
  if (navigator.onLine === false) { // said only when it is sure
    const text = await store.recall();
    if (text !== null) return { text, offline: true };
  }
  try {
    const bytes = await fetchFile(new URL('manifest.json', base), signal);
    return { text: new TextDecoder().decode(bytes), offline: false };
  } catch (error) {
    const { code, cause } = /** @type {MdstError} */ (error);
    const { status } = /** @type {{ status?: number }} */ (cause ?? {});
    const unreachable = code === 'download_failed' && !(status !== undefined && status < 500);
    const text = unreachable ? await store.recall() : null;
    if (text === null) throw error;
    return { text, offline: true };
  }
}

/**
 * @param {URL} base
 * @param {string} text of a manifest
 * @returns {Promise<boolean>} whether the server has another one by now
 */
export async function wasReplaced(base, text) {
  try {
    const signal = AbortSignal.timeout(5000);
    const response = await fetch(new URL('manifest.json', base), { cache: 'no-cache', signal });
    return response.ok && await response.text() !== text;
  } catch {
    return false;
  }
}

/** The files that the manifest names beside the weights; those of another build are refused. */
export class Files {
  /** @param {Manifest} manifest @param {URL} base @param {Source} source */
  constructor(manifest, base, source) {
    this.list = manifest.files;
    this.base = base;
    this.source = source;
  }

  /** @param {string} name */
  has(name) {
    return this.list.some((each) => each.name === name);
  }

  /** @param {string} name @returns {Promise<Bytes>} */
  async bytes(name) {
    const file = this.list.find((each) => each.name === name);
    if (file === undefined) throw new MdstError('format', `manifest.json names no file ${name}`);
    return await this.fetched(name, file);
  }

  /** @param {string} name @param {{ size: number, sha256: string }} file @returns {Promise<Bytes>} */
  async fetched(name, { size, sha256 }) {
    const bytes = new Uint8Array(size);
    await this.source.fill(new URL(name, this.base), sha256, bytes);
    return bytes;
  }

  /** @param {string} name @returns {Promise<string>} */
  async text(name) {
    return new TextDecoder().decode(await this.bytes(name));
  }

  /** @param {string} name @returns {Promise<any>} */
  async json(name) {
    return parseJson(await this.text(name), name);
  }

  /** @param {Tier} tier @returns {Promise<Map<string, string>>} kernel names → WGSL */
  async kernels(tier) {
    /** @type {Map<string, string>} */
    const kernels = new Map();
    for (const section of (await this.text(tier.wgsl)).split('//! kernel ').slice(1)) {
      const end = section.indexOf('\n');
      kernels.set(section.slice(0, end), section.slice(end + 1));
    }
    return kernels;
  }
}

/** @param {string} text @param {string} name @returns {any} */
function parseJson(text, name) {
  try {
    return JSON.parse(text);
  } catch (error) {
    const html = /^\s*</.test(text) ? ' (the server sent an HTML page in its place)' : '';
    throw new MdstError('format', `${name} is not JSON${html}`, { cause: error });
  }
}

/**
 * @param {Manifest} manifest
 * @param {Form} [module] when it is what runs
 * @returns {Memory} bytes of all buffers by kind; a module has one memory, or its parts have, and
 *   activations and all the rest in its arena
 */
export function memoryOf({ buffers }, module) {
  const memory = { weights: 0, kv: 0, arena: 0, other: 0, total: 0 };
  for (const { kind, size } of buffers) {
    const known = kind === 'weights' || kind === 'kv' || kind === 'arena';
    memory[known ? kind : 'other'] += size;
    memory.total += size;
  }
  if (module === undefined) return memory;
  const { weights, kv } = memory;
  const parts = 'parts' in module ? module.parts : [module];
  const total = parts.reduce((sum, { pages }) => sum + pages * PAGE, 0);
  return { weights, kv, arena: total - weights - kv, other: 0, total };
}
