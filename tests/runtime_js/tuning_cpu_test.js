import { assert, assertEquals, assertFails } from './assert.js';
import { MdstError } from '../../runtime_js/runtime/errors.js';
import { Meter } from '../../runtime_js/runtime/meter.js';
import { openKept, raceCpu } from '../../runtime_js/runtime/tuning/cpu.js';

const MODULE = { name: 'base', features: ['simd'], file: 'model.wasm', threads: 1, pages: 1 };

/** @type {any} a model whose token reads 1,000,000 bytes of weights, and more of an embedding */
const MANIFEST = {
  wasm: [{ ...MODULE, weights: [] }],
  wasm_cuts: [],
  weights: [],
  buffers: [{ kind: 'weights', size: 0 }, { kind: 'arena', size: 0 }],
  views: [
    { buffer: 0, size: 600_000 },
    { buffer: 0, size: 400_000 },
    { buffer: 1, size: 7_000_000 },
    { buffer: 0, size: 90_000_000 },
  ],
};

const STEPS = [
  { label: 'embedding', views: [3] },
  { label: 'gate and up', views: [0, 2] },
  { label: 'down', views: [1, 2] },
  { label: 'down', views: [1, 2] },
];

/** A load in which the module cannot be had. */
function load() {
  /** @type {string[]} */
  const asked = [];
  /** @type {any} */
  const site = {
    manifest: MANIFEST,
    files: {
      fetched: (/** @type {string} */ name) => {
        asked.push(name);
        return Promise.reject(new MdstError('download_failed', 'gone'));
      },
    },
    meter: new Meter(() => {}),
    signal: new AbortController().signal,
    opened: {},
  };
  return { site, asked };
}

/** @type {any} */
const WANTED = { worker: true, threads: 1 };

/** @param {number} microseconds of a token on the GPU @returns {any} */
const tuning = (microseconds) => ({
  source: 'measured',
  tier: 'best',
  programs: ['decode'],
  times: [
    { tier: 'best', program: 'decode', microseconds },
    { tier: 'plain', program: 'decode', microseconds: 1e6 },
  ],
});

/** @param {number} microseconds */
async function raced(microseconds) {
  const { site, asked } = load();
  let usable = true;
  /** @type {any} */
  const model = {
    manifest: MANIFEST,
    tier: { programs: [{ phase: 'prefill', steps: [] }, { phase: 'decode', steps: STEPS }] },
    device: { close: () => usable = false },
    assertUsable: () => assert(usable),
  };
  /** @type {any[]} */
  const refused = [];
  const given = tuning(microseconds);
  const found = await raceCpu(site, WANTED, model, given, refused);
  assert(found.model === model && found.tuning === given);
  return { asked, refused, site };
}

Deno.test('no module is fetched where no CPU reads the weights in the time of the GPU', async () => {
  const { asked, refused } = await raced(19); // 50 GB/s take 20
  assertEquals([asked, refused], [[], []]);
});

Deno.test('a module that cannot be had leaves the model on the GPU, and is told of', async () => {
  const { asked, refused, site } = await raced(21);
  assertEquals(asked, ['model.wasm']);
  assertEquals(refused, [{ tier: 'base', program: null, reason: 'gone' }]);
  assertEquals(site.meter.files, 0);
});

Deno.test('a module that won before and cannot be had now leaves the model to the GPU', async () => {
  /** @type {any} */
  const found = { tuning: { ...tuning(9), tier: 'base' }, refused: [], begun: 0 };
  const { site, asked } = load();
  assertEquals(await openKept(site, WANTED, found), null);
  assertEquals(asked, ['model.wasm']);
  site.meter.files = 1; // what was taken does not come again
  await assertFails(() => openKept(site, WANTED, found), 'download_failed');
  found.tuning.tier = 'base-threads'; // which this page cannot run any more
  assertEquals(await openKept(site, WANTED, found), null);
});
