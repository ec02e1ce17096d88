import { assertEquals } from '../assert.js';
import { findModule } from '../../../runtime_js/runtime/wasm/modules.js';

/** @param {string} name @param {number} threads @param {string[]} features */
const module = (name, threads, ...features) => ({ name, threads, features });

/** @type {any} */
const MANIFEST = {
  wasm: [
    module('base', 1, 'simd'),
    module('relaxed', 1, 'simd', 'relaxed-simd'),
    module('base-threads', 16, 'simd', 'threads'),
    module('relaxed-threads', 16, 'simd', 'relaxed-simd', 'threads'),
    module('later', 16, 'simd', 'threads', 'what comes later'),
  ],
};

/**
 * @param {boolean} isolated
 * @param {() => void} test
 */
function where(isolated, test) {
  const known = /** @type {any} */ (globalThis);
  known.crossOriginIsolated = isolated;
  try {
    test();
  } finally {
    delete known.crossOriginIsolated;
  }
}

/** @param {any} wanted */
function found(wanted) {
  const { cpu, problem } = findModule(MANIFEST, { worker: true, ...wanted });
  return cpu ? [cpu.module.name, cpu.threads, cpu.notice !== null] : problem?.what;
}

Deno.test('the fastest module that this engine has all features of', () => {
  where(true, () => {
    assertEquals(found({ threads: 4 }), ['relaxed-threads', 4, false]);
    assertEquals(found({ threads: 99 }), ['relaxed-threads', 16, false]);
    assertEquals(found({ threads: 1 }), ['relaxed', 1, false]);
    assertEquals(found({ tier: 'base', threads: 4 }), ['base', 1, false]);
    assertEquals(found({ tier: 'base-threads', threads: 1 }), ['base-threads', 1, false]);
    assertEquals(found({ tier: 'later' }), 'what comes later');
    assertEquals(found({ tier: 'none' }), 'wasm');
  });
});

Deno.test('threads need an isolated page, and a thread that may wait', () => {
  where(false, () => {
    assertEquals(found({ threads: 4 }), ['relaxed', 1, true]);
    assertEquals(found({ threads: 1 }), ['relaxed', 1, false]);
    assertEquals(found({ tier: 'base-threads', threads: 2 }), 'threads');
  });
  where(true, () => assertEquals(found({ threads: 4, worker: false }), ['relaxed', 1, true]));
});

Deno.test('as many threads as there are cores, or half of what does two at once', () => {
  where(true, () => {
    const { cpu } = findModule(MANIFEST, { worker: true });
    const cores = navigator.hardwareConcurrency;
    if (cpu === null) throw new Error('no module');
    const most = cores < 4 ? cores : cores >> 1;
    assertEquals(cpu.threads, most > 1 ? Math.min(16, most) : 1);
  });
});
