/**
 * Weight files in the order of first use, three of them in memory at most.
 *
 * @import { Manifest, Shard } from './manifest.d.ts'
 */

import { fetchShard } from './fetching.js';

/** Files that are on their way, or wait for the GPU, or are copied to it. */
const IN_MEMORY = 3;

/** @param {Manifest} manifest @returns {Shard[]} those of all sets */
export function shardsOf(manifest) {
  return manifest.weights.flatMap((set) => set.shards);
}

/**
 * @param {Manifest} manifest
 * @returns {{ bytes: number, files: number }} what a browser with an empty cache downloads
 */
export function downloadOf(manifest) {
  const sizes = new Map(shardsOf(manifest).map((shard) => [shard.sha256, shard.size]));
  return { bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0), files: sizes.size };
}

/**
 * Begins to fetch at once, and goes on as files are taken. The file taken before counts as in memory
 * until the next one is asked for.
 *
 * @param {Manifest} manifest
 * @param {URL} base
 * @param {AbortSignal} signal
 * @param {(bytes: number) => void} onBytes
 * @returns {AsyncGenerator<{ shard: Shard, bytes: Uint8Array<ArrayBuffer> }, void, void>}
 */
export function fetchShards(manifest, base, signal, onBytes) {
  const folder = new URL((manifest.weights_url ?? 'weights').replace(/\/*$/, '/'), base);
  const wanted = shardsOf(manifest);
  /** @type {{ shard: Shard, bytes: Promise<Uint8Array<ArrayBuffer>> }[]} */
  const coming = [];
  let next = 0;
  const fill = () => {
    while (coming.length < IN_MEMORY && next < wanted.length) {
      const shard = wanted[next++];
      const bytes = fetchShard(folder, shard, signal, onBytes);
      bytes.catch(() => {}); // reported when it is taken
      coming.push({ shard, bytes });
    }
  };
  fill();
  return (async function* () {
    while (coming.length > 0) {
      const { shard, bytes } = coming[0];
      yield { shard, bytes: await bytes };
      coming.shift();
      fill();
    }
  })();
}
