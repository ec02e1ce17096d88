import { assert, assertEquals } from '../assert.js';
import { alone, ifUnused, using } from '../../../runtime_js/runtime/storage/locks.js';

const never = new AbortController().signal;

/** As much of a LockManager as there is to be seen of it. */
class Locks {
  constructor() {
    /** @type {Map<string, Promise<unknown>>} */
    this.last = new Map();
    this.held = 0;
  }

  /** @param {string} name @param {any} options @param {(lock: unknown) => Promise<any>} work */
  async request(name, { signal, ifAvailable = false, mode }, work) {
    if (ifAvailable && this.held > 0) return await work(null);
    const before = this.last.get(name) ?? Promise.resolve();
    const mine = (async () => {
      if (mode !== 'shared') await Promise.race([before, aborted(signal)]);
      this.held += 1;
      try {
        return await work({});
      } finally {
        this.held -= 1;
      }
    })();
    this.last.set(name, mine.catch(() => {}));
    return await mine;
  }
}

/** @param {AbortSignal | undefined} signal */
function aborted(signal) {
  return new Promise((_, reject) => {
    const end = () => reject(new DOMException('', 'AbortError'));
    if (signal?.aborted) end();
    signal?.addEventListener('abort', end);
  });
}

/** @param {Locks | undefined} locks @param {() => Promise<void>} work */
async function withLocks(locks, work) {
  const real = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
  try {
    await work();
  } finally {
    if (real) Object.defineProperty(globalThis, 'navigator', real);
  }
}

/** Two pieces of work at once; how many ran at the same time. @param {string[]} names */
async function together(names) {
  let running = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, running += 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running -= 1;
  };
  await Promise.all(names.map((name) => alone(name, never, work)));
  return most;
}

Deno.test('the same file is fetched by one tab at a time, others beside it', async () => {
  await withLocks(new Locks(), async () => {
    assertEquals(await together(['a', 'a']), 1);
    assertEquals(await together(['a', 'b']), 2);
  });
  await withLocks(undefined, async () => assertEquals(await together(['a', 'a']), 2));
});

Deno.test('a failure of the work is the failure of all', async () => {
  await withLocks(new Locks(), async () => {
    let times = 0;
    const fails = () => {
      times += 1;
      return Promise.reject(new Error('so'));
    };
    const message = await alone('a', never, fails).catch((error) => error.message);
    assertEquals([message, times], ['so', 1]);
  });
});

Deno.test('who gives up waiting begins all the same, to see that it is aborted', async () => {
  await withLocks(new Locks(), async () => {
    const controller = new AbortController();
    let end = () => {};
    const first = alone('a', never, () => new Promise((resolve) => end = () => resolve(undefined)));
    const second = alone('a', controller.signal, () => Promise.resolve('begun'));
    controller.abort();
    assertEquals(await second, 'begun');
    end();
    await first;
  });
});

Deno.test('nothing is cleared away while a load is under way', async () => {
  await withLocks(new Locks(), async () => {
    let cleared = 0;
    const clear = () => {
      cleared += 1;
      return Promise.resolve();
    };
    await using(() => ifUnused(clear));
    assertEquals(cleared, 0);
    await ifUnused(clear);
    assert(cleared === 1);
  });
});
