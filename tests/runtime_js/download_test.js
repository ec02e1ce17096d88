import { assert, assertEquals, assertFails } from './assert.js';
import { fetchShard } from '../../runtime_js/runtime/fetching.js';
import { downloadOf, fetchShards } from '../../runtime_js/runtime/shards.js';

const FOLDER = new URL('https://x.invalid/weights/');

/** @typedef {(url: string, options: RequestInit) => Response | Promise<Response>} Server */

/** @param {Server} server @param {() => Promise<void>} work runs with every fetch going to `server` */
async function withServer(server, work) {
  const real = globalThis.fetch;
  globalThis.fetch = (url, options = {}) => Promise.resolve(server(String(url), options));
  try {
    await work();
  } finally {
    globalThis.fetch = real;
  }
}

/** @param {number} size */
async function shardOf(size) {
  const bytes = crypto.getRandomValues(new Uint8Array(size));
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return { shard: { sha256, size, buffer: 0, offset: 0 }, bytes };
}

/** @param {import('../../runtime_js/runtime/manifest.d.ts').Shard} shard */
async function fetched(shard, signal = new AbortController().signal) {
  let counted = 0;
  const bytes = await fetchShard(FOLDER, shard, signal, (count) => counted += count);
  assertEquals(counted, shard.size, 'bytes counted');
  return bytes;
}

Deno.test('a shard comes from the place of its name', async () => {
  const { shard, bytes } = await shardOf(1000);
  /** @type {string[]} */
  const asked = [];
  await withServer((url) => {
    asked.push(url);
    return new Response(bytes);
  }, async () => assertEquals([...await fetched(shard)], [...bytes]));
  assertEquals(asked, [`${FOLDER}${shard.sha256}.bin`]);
});

Deno.test('a failure on the way is tried again', async () => {
  const { shard, bytes } = await shardOf(1000);
  let tries = 0;
  await withServer(() => {
    tries += 1;
    if (tries === 1) return new Response(null, { status: 503 });
    if (tries === 3) return new Response(bytes);
    return new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(bytes.slice(0, 100));
          controller.error(new TypeError('network error'));
        },
      }),
    );
  }, async () => assertEquals([...await fetched(shard)], [...bytes]));
  assertEquals(tries, 3);
});

Deno.test('after the last try the error names the file and the reason', async () => {
  const { shard } = await shardOf(10);
  let tries = 0;
  await withServer(() => {
    tries += 1;
    return new Response(null, { status: 404 });
  }, async () => {
    const { message } = await assertFails(() => fetched(shard), 'download_failed');
    assert(message.includes(`weights/${shard.sha256}.bin`) && message.includes('404'), message);
  });
  assertEquals(tries, 4);
});

Deno.test('a wrong byte is fetched once more past the caches', async () => {
  const { shard, bytes } = await shardOf(50);
  const wrong = bytes.slice();
  wrong[7] ^= 1;
  /** @type {(string | undefined)[]} */
  const caches = [];
  await withServer((_, { cache }) => {
    caches.push(cache);
    return new Response(caches.length === 1 ? wrong : bytes);
  }, async () => assertEquals([...await fetched(shard)], [...bytes]));
  assertEquals(caches, ['default', 'reload']);
});

for (
  const [name, change, wanted] of /** @type {[string, (b: Uint8Array) => BodyInit, string][]} */ ([
    ['flipped', (b) => b.map((byte) => byte ^ 1).slice(), 'does not match its name'],
    ['cut', (b) => b.slice(0, 20), '20 bytes'],
    ['longer', (b) => new Uint8Array([...b, 0]), '51 bytes'],
    ['replaced by a page', () => '<!DOCTYPE html><p>not found', 'HTML'],
  ])
) {
  Deno.test(`a shard that is ${name} is never used`, async () => {
    const { shard, bytes } = await shardOf(50);
    await withServer(() => new Response(change(bytes)), async () => {
      const { message } = await assertFails(() => fetched(shard), 'integrity');
      assert(message.includes(wanted), message);
    });
  });
}

Deno.test('a signal ends it between tries', async () => {
  const { shard } = await shardOf(10);
  const controller = new AbortController();
  await withServer(() => {
    queueMicrotask(() => controller.abort());
    return new Response(null, { status: 500 });
  }, async () => {
    await assertFails(() => fetched(shard, controller.signal), 'aborted');
  });
});

Deno.test('shards come in order, three in memory at most', async () => {
  const made = await Promise.all(Array.from({ length: 9 }, (_, i) => shardOf(10 + i)));
  /** @type {any} */
  const manifest = { weights_url: null, weights: [{ shards: made.map(({ shard }) => shard) }] };
  let begun = 0;
  await withServer(async (url) => {
    begun += 1;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
    return new Response(made.find(({ shard }) => url.includes(shard.sha256))?.bytes);
  }, async () => {
    const signal = new AbortController().signal;
    let taken = 0;
    for await (const { shard } of fetchShards(manifest, FOLDER, signal, () => {})) {
      assert(begun - taken <= 3, `${begun} begun, ${taken} done with`);
      assertEquals(shard.sha256, made[taken].shard.sha256);
      await new Promise((resolve) => setTimeout(resolve, 2));
      assert(begun - taken <= 3, `${begun} begun, ${taken} done with`);
      taken += 1;
    }
    assertEquals(taken, 9);
  });
});

Deno.test('weights may lie on another origin; equal shards are downloaded once', async () => {
  const { shard, bytes } = await shardOf(10);
  /** @type {any} */
  const manifest = { weights_url: 'https://cdn.invalid/a', weights: [{ shards: [shard, shard] }] };
  assertEquals(downloadOf(manifest), { bytes: 10, files: 1 });
  await withServer((url) => {
    assert(url.startsWith('https://cdn.invalid/a/'), url);
    return new Response(bytes);
  }, async () => {
    const signal = new AbortController().signal;
    for await (const each of fetchShards(manifest, FOLDER, signal, () => {})) assert(each.bytes);
  });
});
