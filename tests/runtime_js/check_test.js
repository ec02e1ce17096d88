import { assert, assertEquals, assertFails } from './assert.js';
import {
  askedFor,
  findAdapter,
  findProblems,
  neededLimits,
  usableTiers,
} from '../../runtime_js/runtime/check.js';
import { findDevice } from '../../runtime_js/runtime/devices.js';

const MIB = 2 ** 20;

/** @type {any} */
const MANIFEST = {
  limits: { maxBufferSize: 300 * MIB, maxStorageBufferBindingSize: 100 * MIB },
  tiers: [
    tier('base'),
    tier('subgroups', { features: ['subgroups'] }),
    tier('of32', {
      subgroup_size: 32,
      limits: [{ name: 'maxComputeWorkgroupSizeX', least: 1024 }],
    }),
    tier('spoken', { language: ['a_dialect'] }),
  ],
};

/** @param {string} name @param {object} [needs] */
function tier(name, needs) {
  return { name, features: [], language: [], subgroup_size: null, limits: [], ...needs };
}

/**
 * @param {Record<string, number>} limits
 * @param {string[]} features
 * @param {object} info
 * @returns {any}
 */
const adapter = (limits = {}, features = [], info = {}) => ({
  info,
  limits: { ...neededLimits(MANIFEST), ...limits },
  features: new Set(features),
});

Deno.test('limits are what the bundle needs, and what all kernels do', () => {
  const { maxBufferSize, maxStorageBufferBindingSize, ...others } = neededLimits(MANIFEST);
  assertEquals([maxBufferSize, maxStorageBufferBindingSize], [300 * MIB, 100 * MIB]);
  assertEquals(others.maxComputeWorkgroupStorageSize, 16_384);
});

Deno.test('a device that has them is fine', () => {
  assertEquals(findProblems(MANIFEST, adapter()), []);
});

Deno.test('a limit too small is told in numbers', () => {
  for (
    const [what, found] of [['maxBufferSize', 256 * MIB], ['maxStorageBuffersPerShaderStage', 4]]
  ) {
    const problems = findProblems(MANIFEST, adapter({ [what]: Number(found) }));
    assertEquals(problems.length, 1);
    assertEquals([problems[0].what, problems[0].found], [what, found]);
    assert(problems[0].message.includes(String(problems[0].needed)));
  }
});

Deno.test('no adapter is a problem', () => {
  assertEquals(findProblems(MANIFEST, null).length, 1);
});

Deno.test('the best tier comes first, of those that are asked for', () => {
  const names = (
    /** @type {string[]} */ features,
    /** @type {string | undefined} */ wanted = undefined,
  ) => usableTiers(MANIFEST, adapter({}, features), wanted).map((tier) => tier.name);
  assertEquals(names(['subgroups']), ['subgroups', 'base']);
  assertEquals(names([]), ['base']);
  assertEquals(names(['subgroups'], 'base'), ['base']);
  assertEquals(names(['subgroups'], 'fast'), []);
  assertEquals(findProblems(MANIFEST, adapter(), 'subgroups')[0].needed, 'subgroups');
});

Deno.test('a tier that is asked for must be there', async () => {
  const wanted = { device: /** @type {const} */ ('webgpu'), tier: 'fast', worker: true };
  const error = await assertFails(() => findDevice(MANIFEST, wanted), 'invalid_request');
  assertEquals(error.message, 'there is no tier "fast" (there are: base, subgroups, of32, spoken)');
  assertEquals(error.param, 'tier');
});

Deno.test('a tier of whole subgroups needs them, and its limits', () => {
  const names = (/** @type {number} */ size, /** @type {number} */ lanes) =>
    usableTiers(
      MANIFEST,
      adapter({ maxComputeWorkgroupSizeX: lanes }, [], {
        subgroupMinSize: size,
        subgroupMaxSize: 32,
      }),
    ).map((tier) => tier.name);
  assertEquals(names(32, 1024), ['of32', 'base']);
  assertEquals(names(16, 1024), ['base']);
  assertEquals(names(32, 256), ['base']);
});

/** @param {unknown} gpu @param {() => Promise<void>} work with this navigator.gpu */
async function withGpu(gpu, work) {
  const real = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  try {
    await work();
  } finally {
    if (real) Object.defineProperty(globalThis, 'navigator', real);
  }
}

Deno.test('an adapter that is not there at first is waited for', async () => {
  let asked = 0;
  const found = { info: {} };
  const requestAdapter = () => Promise.resolve(++asked === 3 ? found : null);
  await withGpu({ requestAdapter }, async () => assert(await findAdapter() === found));
  assertEquals(asked, 3);
});

Deno.test('that there is none is found out once', async () => {
  let asked = 0;
  const requestAdapter = () => {
    asked += 1;
    return Promise.resolve(null);
  };
  await withGpu({ requestAdapter }, async () => {
    assertEquals(askedFor(), 0);
    assertEquals(await findAdapter(undefined, 2999), null); // the page had waited so long
    const before = asked;
    assert(askedFor() >= 2999);
    assertEquals(await findAdapter(), null);
    assertEquals(asked, before + 1);
  });
});
