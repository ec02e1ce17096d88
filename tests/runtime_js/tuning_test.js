import { assert, assertEquals, assertFails } from './assert.js';
import { Candidate } from '../../runtime_js/runtime/prepare.js';
import { decide } from '../../runtime_js/runtime/tuning/decide.js';
import { keyOf, recall } from '../../runtime_js/runtime/tuning/kept.js';
import { makePlan } from '../../runtime_js/runtime/tuning/plan.js';
import { Stopwatch } from '../../runtime_js/runtime/tuning/stopwatch.js';

const BOTH = ['decode_short', 'decode'];
const ORDER = [
  { tier: 'best', programs: BOTH },
  { tier: 'good', programs: BOTH },
  { tier: 'plain', programs: ['decode'] },
];

/** @param {Record<string, number>} times by `tier program`, in microseconds */
function decided(times) {
  const list = Object.entries(times).map(([key, microseconds]) => {
    const [tier, program] = key.split(' ');
    return { tier, program, microseconds };
  });
  const { tier, programs } = decide(list, ORDER);
  return `${tier} ${programs.join('+')}`;
}

Deno.test('where nothing is known the order decides', () => {
  assertEquals(decided({}), 'best decode_short+decode');
  assertEquals(decided({ 'good decode_short': 1, 'plain decode': 1 }), 'best decode_short+decode');
});

Deno.test('a rival must be clearly faster', () => {
  const best = { 'best decode_short': 100, 'best decode': 120 };
  assertEquals(decided({ ...best, 'good decode_short': 97 }), 'best decode_short+decode');
  assertEquals(decided({ ...best, 'good decode_short': 90 }), 'good decode_short+decode');
  assertEquals(decided({ ...best, 'plain decode': 50 }), 'plain decode');
  const good = { ...best, 'good decode_short': 60 };
  assertEquals(decided({ ...good, 'plain decode': 58 }), 'good decode_short+decode');
  assertEquals(decided({ ...good, 'plain decode': 50 }), 'plain decode');
});

Deno.test('the program for all positions takes the place of one that is slower', () => {
  const good = { 'good decode_short': 95, 'good decode': 300 };
  assertEquals(decided({ 'best decode_short': 200, 'best decode': 80, ...good }), 'best decode');
  assertEquals(decided({ 'best decode_short': 81, 'best decode': 80 }), 'best decode_short+decode');
  assertEquals(decided({ 'best decode_short': 200, ...good }), 'good decode_short+decode');
});

/** @param {string} name @param {string} phase @param {number} reach @param {number[]} kernels */
const program = (name, phase, reach, kernels) => (
  { name, phase, tokens: 1, reach, steps: kernels.map((kernel) => ({ kernel })) }
);

/** @type {any} */
const TIER = {
  name: 'best',
  features: [],
  kernels: ['fused', 'split', 'common', 'tiled'].map((name) => ({ name, access: ['read'] })),
  programs: [
    program('prefill', 'prefill', 1e6, [3]),
    program('decode', 'decode', 1e6, [1, 2]),
    program('decode_short', 'decode', 64, [0, 2]),
  ],
};

/** A device that does not compile kernels of some names. @param {string[]} refused @returns {any} */
function device(...refused) {
  return {
    gpu: {
      createBindGroupLayout: () => ({}),
      createPipelineLayout: () => ({}),
      pushErrorScope() {},
      popErrorScope: () => Promise.resolve(null),
      createShaderModule: () => ({ getCompilationInfo: () => Promise.resolve({ messages: [] }) }),
      createComputePipelineAsync: (/** @type {{ label: string }} */ { label }) =>
        refused.includes(label) ? Promise.reject(new Error(`no ${label}`)) : Promise.resolve(label),
    },
  };
}

const TEXTS = new Map(['fused', 'split', 'common', 'tiled'].map((name) => [name, `// ${name}`]));
const never = new AbortController().signal;

Deno.test('a kernel that does not compile ends the programs that can be done without', async () => {
  const candidate = new Candidate(device('fused'), TIER, TEXTS);
  assertEquals(candidate.decode.map(({ name }) => name), BOTH);
  let done = 0;
  await candidate.build(candidate.programs, () => done += 1);
  assertEquals(done, 4);
  assertEquals(candidate.decode.map(({ name }) => name), ['decode']);
  assertEquals(candidate.programs.map(({ name }) => name), ['prefill', 'decode']);
  const [{ tier, program, reason }] = candidate.refused;
  assertEquals([tier, program], ['best', 'decode_short']);
  assert(reason.includes('kernel fused does not compile here: no fused'));
});

Deno.test('a kernel that is needed ends the tier', async () => {
  for (const name of ['split', 'common', 'tiled']) {
    const candidate = new Candidate(device(name), TIER, TEXTS);
    await assertFails(() => candidate.build(candidate.programs), 'unsupported_device');
    assertEquals(candidate.refused, []);
  }
});

Deno.test('only what is wanted is compiled, and once', async () => {
  const candidate = new Candidate(device(), TIER, TEXTS, ['decode']);
  let done = 0;
  await candidate.build(candidate.decode, () => done += 1);
  assertEquals(done, 2);
  await candidate.build(candidate.programs, () => done += 1);
  assertEquals(done, 3);
  assertEquals(
    candidate.kernels.map(({ name }) => name),
    /** @type {any} */ ([
      ,
      'split',
      'common',
      'tiled',
    ]),
  );
});

Deno.test('a wrong answer ends the same programs', async () => {
  /** @param {string} name */
  const answers = (name) => /** @type {any} */ ({
    [name]: [{ sizes: {}, inputs: {}, grid: [1, 1, 1], expected: [], tolerance: 0 }],
  });
  const failing = Object.assign(device(), {
    buffers: () => Promise.resolve([]),
    readbackBuffer: () => ({ destroy() {} }),
    scoped: () => Promise.resolve('it fails'),
  });
  const candidate = new Candidate(failing, TIER, TEXTS);
  await candidate.build(candidate.programs);
  await candidate.check(answers('fused'), never);
  assertEquals(candidate.decode.map(({ name }) => name), ['decode']);
  assert(candidate.refused[0].reason.includes('wrong answer'));
  const other = new Candidate(failing, TIER, TEXTS);
  await other.build(other.programs);
  await assertFails(() => other.check(answers('split'), never), 'unsupported_device');
});

/** @param {string} architecture @returns {any} */
const adapter = (architecture) => ({
  info: { vendor: 'v', architecture, device: '', description: '' },
  features: new Set(),
  limits: {},
});

/** @type {any} */
const MANIFEST = {
  tiers: ['slow', 'plain', 'good', 'best', 'bestest'].map((name) => (
    { ...TIER, name, language: [], subgroup_size: null, limits: [] }
  )),
  weights: [{ shards: [{ size: 40 * 2 ** 20 }] }, { shards: [{ size: 24 * 2 ** 20 }] }],
};
const LARGE = { ...MANIFEST, weights: [...MANIFEST.weights, { shards: [{ size: 4 }] }] };

/** @param {object} wanted @param {string} [architecture] @param {any} [manifest] */
async function plan(wanted, architecture = 'gpu', manifest = MANIFEST) {
  const base = new URL('https://example.org/');
  return await makePlan(
    { base, cache: true, device: 'auto', worker: false, ...wanted },
    manifest,
    '{}',
    adapter(architecture),
  );
}

/** @param {string} tier @param {number} [begun] @returns {any} */
const found = (tier, begun = 0) => (
  { tuning: { source: 'measured', tier, programs: ['decode'] }, refused: [], begun }
);

Deno.test('the best tiers are timed, on GPUs, unless one is asked for', async () => {
  const first = await plan({});
  const names = first.group(first.tiers[0]).map(({ name }) => name);
  assertEquals(names, ['bestest', 'best', 'good']);
  assert(first.timed);
  assert((await plan({ profile: 'again' }, 'swiftshader')).timed);
  for (
    const other of [
      await plan({}, 'swiftshader'),
      await plan({ profile: false }),
      await plan({ tier: 'good' }),
    ]
  ) {
    assert(!other.timed);
    assertEquals(other.group(other.tiers[0]).length, 1);
  }
});

Deno.test('the CPU is a rival for small models, in a worker, where no device is asked for', async () => {
  assert((await plan({ worker: true })).cpu);
  assert(!(await plan({})).cpu);
  assert(!(await plan({ worker: true, device: 'webgpu' })).cpu);
  assert(!(await plan({ worker: true, tier: 'good' })).cpu);
  assert(!(await plan({ worker: true }, 'gpu', LARGE)).cpu);
});

Deno.test('what is known comes first, and is not timed again', async () => {
  const known = await plan({ found: found('good') });
  assert(!known.timed);
  assertEquals(known.tiers.map(({ name }) => name), ['good', 'bestest', 'best', 'plain', 'slow']);
  assertEquals(known.programs(known.tiers[0]), ['decode']);
  assertEquals(known.programs(known.tiers[1]), undefined);
  const candidate = new Candidate(device(), known.tiers[0], TEXTS, ['decode']);
  assertEquals(known.tuning(candidate).source, 'kept');
  const other = known.tuning(new Candidate(device(), known.tiers[1], TEXTS));
  assertEquals([other.source, other.tier, other.programs], ['order', 'bestest', BOTH]);
});

Deno.test('where the browser has no database, nothing is known', async () => {
  assertEquals(await recall('a key'), null);
  assert(await keyOf(adapter('a'), '{}') !== await keyOf(adapter('b'), '{}'));
  assert(await keyOf(adapter('a'), '{}') !== await keyOf(adapter('a'), '{ }'));
});

/** A database of one record, which ends when it is read. @param {any} record @param {() => Promise<void>} work */
async function withRecord(record, work) {
  /** @param {any} result */
  const request = (result) => {
    /** @type {any} */
    const made = { result };
    queueMicrotask(() => made.onsuccess());
    return made;
  };
  const store = { get: () => request(record) };
  const database = { transaction: () => ({ objectStore: () => store }), close() {} };
  const fake = { open: () => request(database) };
  Object.defineProperty(globalThis, 'indexedDB', { value: fake, configurable: true });
  try {
    await work();
  } finally {
    Reflect.deleteProperty(globalThis, 'indexedDB');
  }
}

Deno.test('timing that the browser did not survive twice is given up', async () => {
  const timed = async () => (await plan({})).timed;
  await withRecord(undefined, async () => assert(await timed()));
  await withRecord({ broken: true }, async () => assert(await timed()));
  await withRecord(found('good', 1), async () => assert(await timed()));
  await withRecord(found('good', 2), async () => assert(!(await timed())));
  await withRecord(found('good', 0), async () => {
    assert(!(await timed()));
    assertEquals((await plan({})).tiers[0].name, 'good');
    assert((await plan({ profile: 'again' })).timed);
    assert((await plan({ cache: false })).timed);
    assertEquals((await plan({ profile: false })).tiers[0].name, 'bestest');
  });
});

/**
 * A model on a GPU that takes `each` milliseconds for a token; its clock ticks every 0.1 ms.
 *
 * @param {number} each
 * @param {{ tick?: number, wrong?: boolean }} [how] `tick`: milliseconds between the browser's words
 *   that work is done; `wrong`: the clock says nothing of use
 */
function gpu(each, { tick = 0, wrong = false } = {}) {
  const seen = { tokens: 0, longest: 0, positions: new Set(), now: 0 };
  let [began, ended, real] = [0, 0, 0];
  const nothing = { destroy() {} };
  const pass = {
    count: 0,
    setPipeline() {},
    setBindGroup() {},
    end() {},
    dispatchWorkgroups() {
      pass.count += 1;
    },
  };
  const encoder = {
    beginComputePass({ timestampWrites: writes } = /** @type {any} */ ({})) {
      pass.count = 0;
      encoder.writes = writes;
      return pass;
    },
    /** @type {any} */
    writes: undefined,
    resolveQuerySet() {},
    copyBufferToBuffer() {},
    finish() {},
  };
  const submit = () => {
    if (encoder.writes?.beginningOfPassWriteIndex === 0) began = real;
    const time = each * pass.count / 4;
    real += time;
    seen.longest = Math.max(seen.longest, time);
    seen.tokens += pass.count / 4;
    if (encoder.writes?.endOfPassWriteIndex === 1) ended = real;
  };
  const read = async () => {
    const wait = tick > 0 ? tick : 0.01;
    real = Math.ceil(real / wait) * wait;
    seen.now = real;
    const stamp = (/** @type {number} */ time) => BigInt(Math.round(10 * time)) * 100_000n;
    return await Promise.resolve(
      wrong ? new ArrayBuffer(16) : new BigUint64Array([stamp(began), stamp(ended)]).buffer,
    );
  };
  /** @type {any} */
  const model = {
    mostSteps: 32,
    cache: { clear() {} },
    begin() {},
    place: (/** @type {number} */ position) => seen.positions.add(position),
    manifest: { context: { max_position: 1e6 } },
    device: {
      gpu: {
        features: new Set(['timestamp-query']),
        createQuerySet: () => nothing,
        createBuffer: () => nothing,
        createCommandEncoder: () => encoder,
      },
      queue: { submit },
      read,
    },
  };
  return { model, seen, clock: () => real };
}

/** @type {any[]} a token of four dispatches */
const STEPS = [1, 2, 3, 4].map((grid) => ({ pipeline: {}, group: {}, grid: [grid, 1, 1] }));

/** @param {() => number} now @param {() => Promise<void>} work with that `performance.now` */
async function atTime(now, work) {
  const real = performance.now;
  performance.now = now;
  try {
    await work();
  } finally {
    performance.now = real;
  }
}

Deno.test('a token is timed well by a coarse clock and late answers, in short submits', async () => {
  for (const each of [0.05, 0.7, 4, 21, 90]) {
    for (const how of [{}, { tick: 100 }, { wrong: true }]) {
      const { model, seen, clock } = gpu(each, how);
      await atTime(clock, async () => {
        const stopwatch = new Stopwatch(model, 20, 64);
        await stopwatch.warmUp(STEPS);
        assert(clock() >= 50);
        const before = clock();
        const time = await stopwatch.time(STEPS, before + 800);
        assert(Math.abs(time / 1000 / each - 1) < 0.03, `${each}: ${time} ${JSON.stringify(how)}`);
        assert(clock() - before <= 400, `${each}: ${clock() - before}`);
        stopwatch.close();
      });
      assertEquals([...seen.positions], [20]);
      assert(seen.longest <= Math.max(1.1 * each, 55), `${each}: ${seen.longest}`);
    }
  }
});

Deno.test('a run that comes too late is the last one', async () => {
  const { model, seen, clock } = gpu(300);
  await atTime(clock, async () => {
    const time = await new Stopwatch(model, 1, 64).time(STEPS, 100);
    assert(Math.abs(time - 300_000) < 100);
  });
  assertEquals(seen.tokens, 1);
});
