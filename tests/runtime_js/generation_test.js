import { assert, assertEquals } from './assert.js';
import { Cache } from '../../runtime_js/runtime/cache.js';
import { generateTokens } from '../../runtime_js/runtime/generation.js';
import { END } from '../../runtime_js/runtime/state.js';

/** @import { Executor, Outcome, Settings } from '../../runtime_js/runtime/executor.d.ts' */

const VOCABULARY = 50;

/**
 * A device whose next token follows from all tokens so far, the step and the choice. It works in the
 * order in which it is asked, and answers later.
 *
 * @implements {Executor}
 */
class Fake {
  /** @type {any} */
  manifest = { model: { vocabulary: VOCABULARY }, context: { window: 64, max_position: 1000 } };
  cache = new Cache(64, 16);
  inFlight = 2;
  suited = 3;
  mostSteps = 8;
  mostRows = 4;
  /** @type {number[]} */
  ids = [];
  /** @type {any} */
  settings = null;
  position = 0;
  step = 0;
  done = 0;
  prefilled = 0;
  /** Draws before it fails. */
  left = Infinity;

  /** @param {Settings} settings */
  begin(settings) {
    this.settings = settings;
    this.step = Number(settings.sampling.step);
    this.done = 0;
  }

  /** @param {readonly number[]} prompt @param {number} from */
  prefill(prompt, from) {
    this.cache.writing(from, prompt.length);
    this.ids = [...prompt];
    this.position = prompt.length - 1;
    this.prefilled += prompt.length - from;
    return Promise.resolve(prompt.length);
  }

  /** @param {number} position @param {Float32Array} logits */
  resume(position, logits) {
    this.cache.writing(position, position);
    this.ids = this.ids.slice(0, position);
    this.position = position - 1;
    assertEquals([...logits], this.row());
  }

  row() {
    const sum = this.ids.reduce((total, id) => 3 * total % 1009 + id, 0);
    return Array.from({ length: VOCABULARY }, (_, id) => (sum + 7 * id) % VOCABULARY);
  }

  /** @param {boolean} rows @param {number} [repeat] @returns {Promise<Outcome>} */
  async sample(rows, repeat = 1) {
    const first = this.ids.length;
    const logits = [];
    for (let turn = 0; turn < repeat && !this.done; turn += 1) {
      const row = this.row();
      logits.push(Float32Array.from(row));
      const { sampling, endIds } = this.settings;
      const id = (row[0] + 5 * this.step + 11 * sampling.choice) % VOCABULARY;
      this.ids.push(id);
      this.step += 1;
      this.position += 1;
      if (endIds.includes(id)) this.done = END;
    }
    const { position, step, done } = this;
    const ids = this.ids.slice(first);
    this.left -= 1;
    const failed = this.left < 0;
    await new Promise((resolve) => setTimeout(resolve, 2 * Math.random()));
    if (failed) throw new Error('lost');
    return { position, step, done, ids, rows: rows ? logits : [] };
  }

  /** @param {number} repeat @param {boolean} rows */
  decode(repeat, rows) {
    assert(repeat <= (rows ? this.mostRows : this.mostSteps));
    return this.sample(rows, repeat);
  }

  logits() {
    return Promise.resolve(Float32Array.from(this.row()));
  }

  forward() {}
  setBias() {}
  feed() {}
  finished() {
    return Promise.resolve();
  }
}

const PROMPT = [4, 8, 15];

/**
 * @param {Fake} fake
 * @param {any} [more] of the request
 * @param {{ choice?: number, made?: number[], most?: number, progress?: any }} [how]
 */
async function run(fake, more, { choice = 0, made = [], most = Infinity, progress } = {}) {
  const request = {
    ...{ sampling: {}, choices: 1, bias: [], penalties: false, endIds: [], sinks: 0, slide: true },
    ...{ maxTokens: 20, logprobs: null, steps: 0, constraint: null, stops: [] },
    ...more,
  };
  const { signal } = new AbortController();
  const seen = progress ?? { cached: 0, prefilled: 0, steps: 0, logits: null };
  const ids = [];
  let ended = false;
  for await (
    const piece of generateTokens(fake, PROMPT, request, choice, made, signal, seen)
  ) {
    ids.push(...piece.ids);
    ended = piece.ended;
    if (request.logprobs !== null) assert(piece.rows.length >= piece.ids.length);
    if (ids.length >= most) break;
  }
  return { ids, ended };
}

Deno.test('tokens depend neither on how many are drawn at once nor on logits asked for', async () => {
  const { ids } = await run(new Fake(), { steps: 1 });
  assertEquals(ids.length, 20);
  for (const steps of [0, 2, 7, 32]) {
    assertEquals((await run(new Fake(), { steps })).ids, ids);
    assertEquals((await run(new Fake(), { steps, logprobs: 0 })).ids, ids);
  }
});

Deno.test('an end token ends the text and is not part of it', async () => {
  const { ids } = await run(new Fake());
  const end = ids.findIndex((id, i) => i > 5 && ids.indexOf(id) === i);
  for (const steps of [1, 4]) {
    assertEquals(await run(new Fake(), { endIds: [ids[end]], steps }), {
      ids: ids.slice(0, end),
      ended: true,
    });
  }
});

Deno.test('after a text that was left the cache holds what was computed', async () => {
  const fake = new Fake();
  const { ids } = await run(fake, { steps: 2 }, { most: 5 });
  assertEquals(fake.cache.ids.slice(0, 8), [...PROMPT, ...ids].slice(0, 8));
  assertEquals(fake.cache.ids, fake.ids.slice(0, -1)); // the last one was drawn, not processed
  const before = fake.prefilled;
  await run(fake);
  assertEquals(fake.prefilled - before, 1);
});

Deno.test('another device goes on with the same tokens', async () => {
  const { ids } = await run(new Fake());
  const lost = new Fake();
  lost.left = 4;
  /** @type {number[]} */
  let made = [];
  try {
    await run(lost, { steps: 2 }, { most: Infinity });
  } catch (error) {
    assertEquals(/** @type {Error} */ (error).message, 'lost');
    assertEquals(lost.cache.ids, []); // nobody knows what it holds
    made = ids.slice(0, 6);
  }
  assertEquals((await run(new Fake(), {}, { made })).ids, ids.slice(6));
});

Deno.test('choices share the prompt and its logits', async () => {
  const fake = new Fake();
  const progress = { cached: 0, prefilled: 0, steps: 0, logits: null };
  const texts = [];
  for (const choice of [0, 1, 2]) {
    texts.push((await run(fake, { choices: 3 }, { choice, progress })).ids);
  }
  assertEquals(fake.prefilled, PROMPT.length);
  assertEquals(new Set(texts.map(String)).size, 3);
  assertEquals(texts[2], (await run(new Fake(), {}, { choice: 2 })).ids);
});
