import { assert, assertEquals, assertFails } from './assert.js';
import { MdstError } from '../../runtime_js/runtime/errors.js';
import { checkPrompt, readChatRequest, readRequest } from '../../runtime_js/runtime/request.js';

/** @type {any} */
const MANIFEST = { model: { vocabulary: 10 }, context: { window: 4 } };

/** @param {any} given */
const read = (given) => readRequest({ prompt: 'x', ...given }, MANIFEST, 'slide');

/** @param {any} given */
const readChat = (given) => readChatRequest({ messages: [], ...given }, MANIFEST, 'slide');

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

Deno.test('tokens of a chat have two names, and no limit but the context', () => {
  assertEquals(readChat({}).maxTokens, Infinity);
  assertEquals(readChat({ max_tokens: 3 }).maxTokens, 3);
  assertEquals(readChat({ max_tokens: 3, max_completion_tokens: 5 }).maxTokens, 5);
  assertEquals(readChat({ max_completion_tokens: 0 }).maxTokens, 0);
});

Deno.test('logprobs are asked for in two ways', () => {
  assertEquals([{}, { logprobs: 0 }, { logprobs: 3 }].map((each) => read(each).logprobs), [
    null,
    0,
    3,
  ]);
  assertEquals(readChat({ logprobs: false }).logprobs, null);
  assertEquals(readChat({ logprobs: true }).logprobs, 0);
  assertEquals(readChat({ logprobs: true, top_logprobs: 20 }).logprobs, 20);
});

Deno.test('a format is a schema or none', () => {
  /** @param {any} response_format */
  const schema = (response_format) => read({ response_format }).schema;
  assertEquals(schema(null), null);
  assertEquals(schema({ type: 'text' }), null);
  assertEquals(schema({ type: 'json_object' }), 'anyObject');
  const json_schema = { name: 'x', strict: true, schema: { type: 'integer' } };
  assertEquals(schema({ type: 'json_schema', json_schema }), { type: 'integer' });
  assertEquals(schema({ type: 'json_schema', json_schema: { schema: true } }), true);
});

Deno.test('what servers keep books with is taken', () => {
  const books = { model: 'm', user: 'u', metadata: {}, store: false, stream: true };
  assertEquals(read(books).maxTokens, 128);
  assertEquals(readChat(books).maxTokens, Infinity);
});

/** @type {[string, any][]} the field at fault, and the request */
const COMMON = [
  ['temperature', { temperature: -1 }],
  ['temperature', { temperature: NaN }],
  ['temperature', { temperature: '1' }],
  ['top_p', { top_p: 1.1 }],
  ['top_k', { top_k: 1.5 }],
  ['max_tokens', { max_tokens: -1 }],
  ['seed', { seed: 2 ** 53 }],
  ['steps', { steps: 33 }],
  ['n', { n: 0 }],
  ['n', { n: 129 }],
  ['stop', { stop: [''] }],
  ['stop', { stop: [5] }],
  ['stop', { stop: 5 }],
  ['logit_bias', { logit_bias: { 10: 1 } }],
  ['logit_bias', { logit_bias: { 1: NaN } }],
  ['logit_bias', { logit_bias: [1] }],
  ['logit_bias', { logit_bias: new Map([[1, 1]]) }],
  ['ignore_eos', { ignore_eos: 1 }],
  ['on_full', { on_full: 'grow' }],
  ['stream', { stream: 'yes' }],
  ['stream_options', { stream_options: true }],
  ['stream_options.usage', { stream_options: { usage: true } }],
  ['stream_options.include_usage', { stream_options: { include_usage: 1 } }],
  ['response_format', { response_format: 'json' }],
  ['response_format.type', { response_format: { type: 'xml' } }],
  ['response_format.json_schema.schema', {
    response_format: { type: 'json_schema', json_schema: {} },
  }],
  ['response_format.json_schema.schema', {
    response_format: { type: 'json_schema', json_schema: { schema: { const: 5n } } },
  }],
  ['response_format.schema', { response_format: { type: 'json_object', schema: {} } }],
  ['maxTokens', { maxTokens: 5 }],
];
/** @type {[string, any][]} */
const OF_COMPLETIONS = [
  ['logprobs', { logprobs: true }],
  ['logprobs', { logprobs: 21 }],
  ['echo', { echo: 1 }],
  ['echo', { echo: true, logprobs: 1 }],
  ['messages', { messages: [] }],
];
/** @type {[string, any][]} */
const OF_CHATS = [
  ['logprobs', { logprobs: 5 }],
  ['top_logprobs', { top_logprobs: 5 }],
  ['top_logprobs', { logprobs: true, top_logprobs: 21 }],
  ['max_completion_tokens', { max_completion_tokens: 1.5 }],
  ['prompt', { prompt: 'x' }],
];

for (
  const [name, reader, cases] of /** @type {const} */ ([
    ['completions', read, [...COMMON, ...OF_COMPLETIONS]],
    ['chat', readChat, [...COMMON, ...OF_CHATS]],
  ])
) {
  for (const [param, given] of cases) {
    Deno.test(`${name}: ${Deno.inspect(given)} is refused`, async () => {
      const error = await assertFails(() => reader(given), 'invalid_request');
      assert(error instanceof MdstError);
      assertEquals(error.param, param);
      assert(error.message.includes(param), error.message);
    });
  }
}

Deno.test('a prompt has tokens, known ones, and not too many', async () => {
  checkPrompt([0, 9, 1, 2], MANIFEST);
  await assertFails(() => checkPrompt([], MANIFEST), 'invalid_request');
  await assertFails(() => checkPrompt([10], MANIFEST), 'invalid_request');
  await assertFails(() => checkPrompt([0.5], MANIFEST), 'invalid_request');
  await assertFails(() => checkPrompt([1, 1, 1, 1, 1], MANIFEST), 'context_length_exceeded');
});
