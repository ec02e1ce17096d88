import { assert, assertEquals, assertFails } from './assert.js';
import { checkPrompt, readRequest } from '../../runtime_js/runtime/request.js';

/** @type {any} */
const MANIFEST = { model: { vocabulary: 10 }, context: { window: 4 } };

/** @param {any} given */
const read = (given) => readRequest({ prompt: 'x', ...given }, MANIFEST, 'slide');

Deno.test('defaults draw from the model’s own distribution', () => {
  const request = read({});
  assertEquals(request.maxTokens, 128);
  assertEquals({ ...request.sampling, seed: 0 }, {
    seed: 0,
    choice: 0,
    top_k: 0,
    temperature: 1,
    top_p: 1,
    log_min_p: -3e38,
    repetition_penalty: 1,
    presence_penalty: 0,
    frequency_penalty: 0,
  });
  assert(!request.penalties && request.slide && request.steps === 0);
  assert(read({}).seed !== read({}).seed, 'two requests without a seed have the same');
});

Deno.test('null is the default, as in JSON', () => {
  assertEquals(read({ temperature: null, stop: null, logit_bias: null }).sampling.temperature, 1);
});

Deno.test('a seed is cut into two words', () => {
  assertEquals(read({ seed: 5 * 2 ** 32 + 7 }).sampling.seed, [7, 5]);
});

Deno.test('each penalty asks for counts', () => {
  assert(read({ repetition_penalty: 1.1 }).penalties);
  assert(read({ presence_penalty: 0.1 }).penalties);
  assert(read({ frequency_penalty: -0.1 }).penalties);
});

for (
  const given of [
    { temperature: -1 },
    { temperature: NaN },
    { temperature: '1' },
    { top_p: 1.1 },
    { top_k: 1.5 },
    { max_tokens: -1 },
    { seed: 2 ** 53 },
    { steps: 33 },
    { stop: [''] },
    { stop: [5] },
    { logit_bias: { 10: 1 } },
    { logit_bias: { 1: NaN } },
    { ignore_eos: 1 },
    { on_full: 'grow' },
  ]
) {
  Deno.test(`${JSON.stringify(given)} is refused`, async () => {
    await assertFails(() => read(given), 'invalid_request');
  });
}

Deno.test('a prompt has tokens, known ones, and not too many', async () => {
  checkPrompt([0, 9, 1, 2], MANIFEST);
  await assertFails(() => checkPrompt([], MANIFEST), 'invalid_request');
  await assertFails(() => checkPrompt([10], MANIFEST), 'invalid_request');
  await assertFails(() => checkPrompt([0.5], MANIFEST), 'invalid_request');
  await assertFails(() => checkPrompt([1, 1, 1, 1, 1], MANIFEST), 'context_length_exceeded');
});
