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
  wasm_cuts: [],
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

/** @param {any} wanted @param {any} [manifest] */
function found(wanted, manifest = MANIFEST) {
  const { cpu, problem } = findModule(manifest, { worker: true, ...wanted });
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

Deno.test('a model that is cut where addresses are too short for all of it', () => {
  const pages = 70_000;
  const whole = (/** @type {string} */ feature) => [
    { ...module('base', 1, 'simd', feature), pages },
    { ...module('relaxed', 1, 'simd', 'relaxed-simd', feature), pages },
    { ...module('base-threads', 16, 'simd', 'threads', feature), pages },
  ];
  const wasm_cuts = [
    { ...module('base-cut', 1, 'simd'), parts: [] },
    { ...module('base-threads-cut', 16, 'simd', 'threads'), parts: [] },
  ];
  const isCut = (/** @type {any} */ manifest) => {
    const { cpu, problem } = findModule(manifest, { worker: true, threads: 1 });
    return cpu ? 'parts' in cpu.module : problem?.message;
  };
  where(true, () => {
    const wide = { wasm: whole('memory64'), wasm_cuts };
    const able = isCut(wide) === false; // whether this engine has memory64
    const narrow = { wasm: whole('memory96'), wasm_cuts };
    assertEquals(isCut(narrow), true);
    assertEquals(found({ threads: 4 }, narrow), ['base-threads-cut', 4, false]);
    assertEquals(found({ threads: 1 }, narrow), ['base-cut', 1, false]); // relaxed has no cut form
    assertEquals(found({ tier: 'base-cut' }, wide), ['base-cut', 1, false]);
    assertEquals(found({ tier: 'relaxed' }, narrow), 'memory96');
    if (able) assertEquals(found({ threads: 1 }, wide), ['relaxed', 1, false]);
    const validate = WebAssembly.validate;
    WebAssembly.validate = (bytes) => new Uint8Array(/** @type {any} */ (bytes))[8] !== 5;
    try {
      assertEquals(isCut(wide), true);
      const message = String(isCut({ wasm: whole('memory64'), wasm_cuts: [] }));
      assertEquals(message.includes(`memory64 for the ${pages * 2 ** 16} bytes`), true);
    } finally {
      WebAssembly.validate = validate;
    }
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
