import { assert, assertEquals, assertFails, randomInt } from '../assert.js';
import { sha256 } from '../../../runtime_js/runtime/digest.js';
import { Source } from '../../../runtime_js/runtime/storage/source.js';
import { hashesOf, Store } from '../../../runtime_js/runtime/storage/store.js';

/** A folder in memory with room for `room.bytes`; every write is a second later than the last. */
class Memory {
  /** @param {{ bytes: number }} room */
  constructor(room = { bytes: Infinity }) {
    this.room = room;
    /** @type {Map<string, { bytes: Uint8Array, time: number }>} */
    this.files = new Map();
    this.now = 0;
  }

  names() {
    return Promise.resolve([...this.files.keys()]);
  }

  /** @param {string} name */
  time(name) {
    return Promise.resolve(this.files.get(name)?.time ?? 0);
  }

  /** @param {string} name */
  text(name) {
    const file = this.files.get(name);
    return Promise.resolve(file === undefined ? null : new TextDecoder().decode(file.bytes));
  }

  /** @param {string} name @param {Uint8Array} into */
  read(name, into) {
    const file = this.files.get(name);
    if (file === undefined) return Promise.resolve(null);
    if (file.bytes.length !== into.length) return Promise.resolve(false);
    into.set(file.bytes);
    return Promise.resolve(true);
  }

  /** @param {string} name @param {Uint8Array} bytes */
  write(name, bytes) {
    this.remove(name);
    const kept = bytes.slice(0, this.room.bytes); // what fits is written, as by a browser
    this.files.set(name, { bytes: kept, time: this.now += 1000 });
    this.room.bytes -= kept.length;
    if (kept.length < bytes.length) throw new DOMException('full', 'QuotaExceededError');
    return Promise.resolve();
  }

  /** @param {string} name */
  remove(name) {
    this.room.bytes += this.files.get(name)?.bytes.length ?? 0;
    this.files.delete(name);
    return Promise.resolve();
  }
}

/** @param {{ bytes: number }} [room] */
function folders(room) {
  return /** @type {any} */ ({ files: new Memory(room), models: new Memory() });
}

/** @param {number} [size] */
async function fileOf(size = 1 + randomInt(500)) {
  const bytes = crypto.getRandomValues(new Uint8Array(size));
  return { bytes, hash: await sha256(bytes) };
}

/** @param {Store} store @param {{ bytes: Uint8Array, hash: string }} file */
async function found(store, { bytes, hash }) {
  const into = new Uint8Array(bytes.length);
  const answer = await store.read(hash, into);
  if (answer) assertEquals([...into], [...bytes]);
  return answer;
}

Deno.test('what is kept is found, by its hash alone', async () => {
  const store = new Store('model', folders());
  const file = await fileOf();
  assertEquals(await found(store, file), null);
  await store.keep(file.hash, file.bytes);
  assertEquals(await found(store, file), true);
  assertEquals([...await store.present()], [file.hash]);
});

Deno.test('a damaged file is never given, and gone', async () => {
  for (
    const damage of /** @type {((b: Uint8Array) => Uint8Array)[]} */ ([
      (b) => b.map((byte, i) => i === 7 ? byte ^ 1 : byte),
      (b) => b.slice(0, -1),
      (b) => new Uint8Array(b.length),
      () => new Uint8Array(0),
    ])
  ) {
    const both = folders();
    const store = new Store('model', both);
    const file = await fileOf(100);
    await store.keep(file.hash, file.bytes);
    await both.files.write(file.hash, damage(file.bytes));
    assertEquals(await found(store, file), false);
    assertEquals(await found(store, file), null);
  }
});

Deno.test('a store that fails keeps nothing, and says why', async () => {
  const both = folders();
  both.files.write = () => Promise.reject(new DOMException('no such folder', 'NotFoundError'));
  const store = new Store('model', both);
  const file = await fileOf();
  await store.keep(file.hash, file.bytes);
  assertEquals(store.keeps, false);
  assert(store.notice?.includes('no such folder'));
  both.files.read = () => Promise.reject(new DOMException('broken', 'UnknownError'));
  assertEquals(await found(store, file), false);
});

Deno.test('a file that another tab writes is not written twice', async () => {
  const both = folders();
  both.files.write = () => Promise.reject(new DOMException('', 'NoModificationAllowedError'));
  const store = new Store('model', both);
  const file = await fileOf();
  await store.keep(file.hash, file.bytes);
  assertEquals([store.keeps, store.notice], [true, null]);
});

Deno.test('the manifest of the last load is there, unless it is damaged', async () => {
  const both = folders();
  const store = new Store('model', both);
  assertEquals(await store.recall(), null);
  await store.remember('{"a":\n1}\n', ['x', 'y']);
  assertEquals(await store.recall(), '{"a":\n1}\n');
  assertEquals(await new Store('other', both).recall(), null);
  const { bytes } = both.models.files.get('model');
  for (const at of [0, bytes.length - 1, randomInt(bytes.length - 1)]) {
    await both.models.write(
      'model',
      bytes.map((/** @type {number} */ byte, /** @type {number} */ i) =>
        i === at ? byte ^ 1 : byte
      ),
    );
    assertEquals(await store.recall(), null, `byte ${at}`);
  }
});

Deno.test('after a redeploy only files of the new build stay, and those of other models', async () => {
  const both = folders();
  const [old, both1, fresh, others] = await Promise.all([fileOf(), fileOf(), fileOf(), fileOf()]);
  const store = new Store('model', both);
  const other = new Store('other', both);
  await store.remember('1', [old.hash, both1.hash]);
  await other.remember('2', [others.hash, both1.hash]);
  for (const { hash, bytes } of [old, both1, fresh, others]) await store.keep(hash, bytes);
  await store.remember('3', [both1.hash, fresh.hash]);
  const wanted = [both1.hash, fresh.hash, others.hash].sort();
  const makingRoom = /** @type {any} */ (store).makeRoom(both);
  assertEquals(await makingRoom, true);
  assertEquals([...await store.present()].sort(), wanted);
});

Deno.test('a full disk: unneeded files go, then the model used least recently, then no more is kept', async () => {
  const room = { bytes: 1000 };
  const both = folders(room);
  const files = await Promise.all([
    fileOf(300),
    fileOf(300),
    fileOf(300),
    fileOf(300),
    fileOf(900),
  ]);
  const [unneeded, first, second, third, large] = files;
  const write = async (/** @type {string} */ key, /** @type {typeof first} */ { hash, bytes }) => {
    const store = new Store(key, both);
    await store.remember(key, [hash]);
    await store.keep(hash, bytes);
    return store;
  };
  await both.files.write(unneeded.hash, unneeded.bytes);
  await write('first', first);
  await write('second', second);
  await new Store('first', both).remember('first', [first.hash]); // used again
  const store = await write('third', third);
  assertEquals([store.keeps, both.files.files.has(unneeded.hash)], [true, false]);
  const names = async () => (await store.present()).size;
  assertEquals(await names(), 3);
  await write('fourth', await fileOf(300));
  assertEquals([await found(store, second), await found(store, first)], [null, true]);
  const last = await write('large', large);
  assertEquals(last.keeps, true);
  assertEquals([await names(), await found(last, large)], [1, true]);
  const more = await fileOf(200);
  await last.keep(more.hash, more.bytes);
  assertEquals([last.keeps, await found(last, more), await found(last, large)], [
    false,
    null,
    true,
  ]);
  assert(last.notice?.includes('no room'));
});

Deno.test('a full disk of files that cannot be removed ends the keeping, not the load', async () => {
  const both = folders({ bytes: 400 });
  const [busy, fresh] = await Promise.all([fileOf(300), fileOf(300)]);
  await both.files.write(busy.hash, busy.bytes);
  const { remove } = both.files;
  both.files.remove = (/** @type {string} */ name) =>
    name === busy.hash
      ? Promise.reject(new DOMException('in use', 'NoModificationAllowedError'))
      : remove.call(both.files, name);
  const store = new Store('model', both);
  await store.remember('model', [fresh.hash]);
  await store.keep(fresh.hash, fresh.bytes);
  assertEquals([store.keeps, await found(store, fresh)], [false, null]);
  assert(store.notice?.includes('no room'));
});

Deno.test('a file comes from the store, or else from the network, and is kept then', async () => {
  const real = globalThis.fetch;
  const file = await fileOf(100);
  const url = new URL('https://x.invalid/a.bin');
  const both = folders();
  const signal = new AbortController();
  const source = new Source(new Store('model', both), signal.signal);
  let asked = 0;
  /** @type {[number, boolean][]} */
  const told = [];
  const fill = async () => {
    const into = new Uint8Array(100);
    await source.fill(url, file.hash, into, (...each) => told.push(each));
    assertEquals([...into], [...file.bytes]);
    return told.splice(0);
  };
  globalThis.fetch = () => {
    asked += 1;
    return Promise.resolve(new Response(file.bytes));
  };
  try {
    assertEquals(await fill(), [[100, false]]);
    assertEquals(await fill(), [[100, true]]);
    assertEquals([asked, source.healed], [1, 0]);
    await both.files.write(file.hash, new Uint8Array(100));
    assertEquals(await fill(), [[100, false]]);
    assertEquals(await fill(), [[100, true]]);
    assertEquals([asked, source.healed], [2, 1]);
    signal.abort();
    await assertFails(fill, 'aborted');
  } finally {
    globalThis.fetch = real;
  }
});

Deno.test('the files of a manifest are the small ones and those of all weights', () => {
  const shards = (/** @type {string} */ names) => [...names].map((sha256) => ({ sha256 }));
  /** @type {any} */
  const manifest = {
    files: shards('ab'),
    wasm: shards('c'),
    wasm_cuts: [{ parts: shards('d') }],
    weights: [{ shards: shards('e') }, { shards: shards('fg') }],
  };
  assertEquals(hashesOf(manifest), [...'abcdefg']);
});
