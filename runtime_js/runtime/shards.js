/**
 * Weight files in the order of first use, three of them in memory at most.
 *
 * @import { Manifest, Shard } from './manifest.d.ts'
 * @import { Bytes } from './fetching.js'
 * @import { OnBytes, Source } from './storage/source.js'
 */

/** Files that are on their way, or wait for the GPU, or are copied to it. */
const IN_MEMORY = 3;

/** @param {Manifest} manifest @returns {Shard[]} those of all sets */
export function shardsOf(manifest) {
  return manifest.weights.flatMap((set) => set.shards);
}

/**
 * @param {Manifest} manifest
 * @param {Set<string>} present hashes of files that the browser has
 * @returns {{ bytes: number, files: number, cached: number }} `bytes` and `files` are what a browser
 *   with an empty cache downloads, of which this one has `cached` bytes
 */
export function downloadOf(manifest, present) {
  const sizes = new Map(shardsOf(manifest).map((shard) => [shard.sha256, shard.size]));
  let bytes = 0;
  let cached = 0;
  for (const [hash, size] of sizes) {
    bytes += size;
    if (present.has(hash)) cached += size;
  }
  return { bytes, files: sizes.size, cached };
}

/**
 * Begins to fetch at once, and goes on as files are taken. The bytes of the file taken before are
 * overwritten when the next one is asked for.
 *
 * @param {Manifest} manifest
 * @param {URL} base
 * @param {Source} source
 * @param {OnBytes} onBytes
 * @returns {{ shards: AsyncGenerator<{ shard: Shard, bytes: Bytes }, void, void>,
 *   failed: Promise<never> }} `failed` ends, by rejection, when a file cannot be had
 */
export function fetchShards(manifest, base, source, onBytes) {
  const folder = new URL((manifest.weights_url ?? 'weights').replace(/\/*$/, '/'), base);
  const wanted = shardsOf(manifest);
  const largest = wanted.reduce((most, { size }) => Math.max(most, size), 0);
  const count = Math.min(IN_MEMORY, wanted.length);
  const free = Array.from({ length: count }, () => new Uint8Array(largest));
  /** @type {{ shard: Shard, memory: Bytes, bytes: Bytes, arrival: Promise<void> }[]} */
  const coming = [];
  let next = 0;
  /** @type {(error: unknown) => void} */
  let fail = () => {};
  /** @type {Promise<never>} */
  const failed = new Promise((_, reject) => fail = reject);
  failed.catch(() => {});
  const begin = (/** @type {Bytes} */ memory) => {
    if (next === wanted.length) return;
    const shard = wanted[next++];
    const bytes = memory.subarray(0, shard.size);
    const url = new URL(`${shard.sha256}.bin`, folder);
    const arrival = source.fill(url, shard.sha256, bytes, onBytes);
    arrival.catch(fail);
    coming.push({ shard, memory, bytes, arrival });
  };
  free.forEach(begin);
  const shards = (async function* () {
    while (coming.length > 0) {
      const { shard, memory, bytes, arrival } = coming[0];
      await arrival;
      yield { shard, bytes };
      coming.shift();
      begin(memory);
    }
  })();
  return { shards, failed };
}
