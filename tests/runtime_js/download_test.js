import { assert, assertEquals, assertFails } from './assert.js';
import { fetchInto } from '../../runtime_js/runtime/fetching.js';
import { Source } from '../../runtime_js/runtime/storage/source.js';
import { Store } from '../../runtime_js/runtime/storage/store.js';
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
  const into = new Uint8Array(shard.size);
  const onBytes = (/** @type {number} */ count) => counted += count;
  try {
    await fetchInto(new URL(`${shard.sha256}.bin`, FOLDER), shard.sha256, into, {
      signal,
      onBytes,
    });
  } catch (error) {
    assert(counted <= 0 || counted < shard.size, `${counted} bytes counted of a failure`);
    throw error;
  }
  assertEquals(counted, shard.size, 'bytes counted');
  return into;
}

/** @param {Uint8Array} bytes @param {ResponseInit} [init] an answer that breaks off after these */
function cut(bytes, init) {
  let pulls = 0;
  const pull = (/** @type {ReadableStreamDefaultController} */ controller) => {
    if (pulls++ === 0) controller.enqueue(bytes);
    else controller.error(new TypeError('network error'));
  };
  return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }), init);
}

/** What keeps nothing: all comes from the network. */
async function uncached() {
  return new Source(await Store.open(FOLDER, false), new AbortController().signal);
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
    return tries < 4 ? cut(bytes.slice(0, 100)) : new Response(bytes);
  }, async () => assertEquals([...await fetched(shard)], [...bytes]));
  assertEquals(tries, 4);
});

Deno.test('a cut file goes on where it ended', async () => {
  const { shard, bytes } = await shardOf(1000);
  /** @type {(string | null)[]} */
  const ranges = [];
  await withServer((_, { headers }) => {
    const range = new Headers(headers).get('range');
    ranges.push(range);
    const from = Number(range?.match(/bytes=(\d+)-/)?.[1] ?? 0);
    if (range === null) return cut(bytes.slice(0, 300));
    const init = { status: 206, headers: { 'content-range': `bytes ${from}-999/1000` } };
    return from === 300 ? cut(bytes.slice(300, 700), init) : new Response(bytes.slice(from), init);
  }, async () => assertEquals([...await fetched(shard)], [...bytes]));
  assertEquals(ranges, [null, 'bytes=300-', 'bytes=700-']);
});

for (
  const [name, rest] of /** @type {[string, (b: Uint8Array<ArrayBuffer>) => Response][]} */ ([
    ['the whole', (b) => new Response(b)],
    ['another part', (b) => new Response(b.slice(5), { status: 206 })],
    ['an error', () => new Response(null, { status: 416 })],
    ['wrong bytes', (b) =>
      new Response(b.slice(100).reverse(), {
        status: 206,
        headers: { 'content-range': `bytes 100-${b.length - 1}/${b.length}` },
      })],
  ])
) {
  Deno.test(`a server that answers ${name} to a wish for the rest does no harm`, async () => {
    const { shard, bytes } = await shardOf(400);
    let whole = 0;
    await withServer((_, { headers }) => {
      if (new Headers(headers).has('range')) return rest(bytes);
      whole += 1;
      return whole === 1 ? cut(bytes.slice(0, 100)) : new Response(bytes);
    }, async () => assertEquals([...await fetched(shard)], [...bytes]));
    assertEquals(whole, 2);
  });
}

Deno.test('the rest of an encoded file is never asked for', async () => {
  const { shard, bytes } = await shardOf(400);
  let tries = 0;
  await withServer((_, { headers }) => {
    assert(!new Headers(headers).has('range'));
    tries += 1;
    const init = { headers: { 'content-encoding': 'identity' } };
    return tries === 1 ? cut(bytes.slice(0, 100), init) : new Response(bytes, init);
  }, async () => assertEquals([...await fetched(shard)], [...bytes]));
  assertEquals(tries, 2);
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
    ['flipped', (b) => b.map((byte) => byte ^ 1).slice(), 'does not match its SHA-256'],
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
  const source = await uncached();
  let begun = 0;
  await withServer(async (url) => {
    begun += 1;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
    return new Response(made.find(({ shard }) => url.includes(shard.sha256))?.bytes);
  }, async () => {
    let taken = 0;
    const memory = new Set();
    for await (const { shard, bytes } of fetchShards(manifest, FOLDER, source, () => {}).shards) {
      assert(begun - taken <= 3, `${begun} begun, ${taken} done with`);
      assertEquals(shard.sha256, made[taken].shard.sha256);
      assertEquals([...bytes], [...made[taken].bytes]);
      memory.add(bytes.buffer);
      await new Promise((resolve) => setTimeout(resolve, 2));
      assert(begun - taken <= 3, `${begun} begun, ${taken} done with`);
      taken += 1;
    }
    assertEquals([taken, memory.size], [9, 3]);
  });
});

Deno.test('a file that cannot be had is told before it is its turn', async () => {
  const made = await Promise.all([shardOf(10), shardOf(20), shardOf(30)]);
  /** @type {any} */
  const manifest = { weights_url: null, weights: [{ shards: made.map(({ shard }) => shard) }] };
  const source = await uncached();
  await withServer((url) => {
    if (url.includes(made[2].shard.sha256)) return new Response('<!doctype html>');
    return new Promise(() => {});
  }, async () => {
    const { failed } = fetchShards(manifest, FOLDER, source, () => {});
    const { message } = await assertFails(() => failed, 'integrity');
    assert(message.includes(made[2].shard.sha256), message);
  });
});

Deno.test('weights may lie on another origin; equal shards are downloaded once', async () => {
  const { shard, bytes } = await shardOf(10);
  /** @type {any} */
  const manifest = { weights_url: 'https://cdn.invalid/a', weights: [{ shards: [shard, shard] }] };
  assertEquals(downloadOf(manifest, new Set()), { bytes: 10, files: 1, cached: 0 });
  assertEquals(downloadOf(manifest, new Set([shard.sha256])).cached, 10);
  const source = await uncached();
  await withServer((url) => {
    assert(url.startsWith('https://cdn.invalid/a/'), url);
    return new Response(bytes);
  }, async () => {
    for await (const each of fetchShards(manifest, FOLDER, source, () => {}).shards) {
      assertEquals([...each.bytes], [...bytes]);
    }
  });
});
