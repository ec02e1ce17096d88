import { assert, assertEquals, assertFails } from '../runtime_js/assert.js';
import { answer, noteOf } from '../../templates/page/page/chat/answer.js';
import { MdstError } from '../../templates/page/mdst.js';

/** @import { ChatChunk, Engine, FinishReason } from '../../runtime_js/mdst.d.ts' */
/** @import { Message } from '../../templates/page/page/chat/history.js' */

const usage = {
  prompt_tokens: 3,
  completion_tokens: 11,
  total_tokens: 14,
  prompt_tokens_details: { cached_tokens: 0 },
};

/** @param {FinishReason | null} reason @param {string} [content] @returns {ChatChunk} */
function chunk(reason, content) {
  const choice = { index: 0, delta: { content }, tokens: [1], logprobs: null };
  return {
    id: 'x',
    object: 'chat.completion.chunk',
    created: 0,
    model: 'm',
    choices: [{ ...choice, finish_reason: reason }],
    ...(reason ? { usage, timings: { prefill_seconds: 1, decode_seconds: 2 }, seed: 1 } : {}),
  };
}

/**
 * An engine with room for some messages, which keeps what it is asked for.
 *
 * @param {number} room
 */
function engineWith(room) {
  /** @type {any[]} */
  const asked = [];
  /** @param {any} request */
  const create = (request) => {
    asked.push(request);
    if (request.messages.length > room) {
      return Promise.reject(new MdstError('context_length_exceeded', 'too long'));
    }
    return Promise.resolve((async function* () {
      yield* [chunk(null, 'a'), chunk(null, 'b'), chunk('stop')];
      await Promise.resolve();
    })());
  };
  const engine = /** @type {Engine} */ (/** @type {any} */ ({ chat: { completions: { create } } }));
  return { engine, asked };
}

/** @param {string[]} contents by turns @returns {Message[]} */
function talk(...contents) {
  return contents.map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content, note: 'n' }));
}

/** @param {number} room @param {string} system @param {Message[]} messages */
async function ask(room, system, messages) {
  const { engine, asked } = engineWith(room);
  let text = '';
  let seenFrom = -1;
  const last = await answer(engine, system, messages, { temperature: 0 }, {
    onSeen: (from) => seenFrom = from,
    onPiece: (piece, pace) => {
      text += piece;
      assert(/^\d+ tokens? · /.test(pace));
    },
  });
  const request = asked[asked.length - 1];
  return {
    text,
    seenFrom,
    last,
    request,
    contents: request.messages.map((/** @type {any} */ m) => m.content),
  };
}

Deno.test('an answer is asked for with the system prompt and the settings', async () => {
  const { text, seenFrom, last, request } = await ask(9, 'be kind', talk('hi'));
  assertEquals(text, 'ab');
  assertEquals(seenFrom, 0);
  assertEquals(last.choices[0].finish_reason, 'stop');
  const messages = [{ role: 'system', content: 'be kind' }, { role: 'user', content: 'hi' }];
  assertEquals(request, { temperature: 0, messages, stream: true });
});

Deno.test('a conversation that is too long loses its oldest turns, not the system prompt', async () => {
  const { seenFrom, contents } = await ask(4, 's', talk('1', '2', '3', '4', '5'));
  assertEquals(contents, ['s', '3', '4', '5']);
  assertEquals(seenFrom, 2);
  await assertFails(() => ask(1, 's', talk('1', '2', '3')), 'context_length_exceeded');
});

Deno.test('questions without an answer are not sent again', async () => {
  const { contents } = await ask(9, '', talk('1', '', '3', '4', '5'));
  assertEquals(contents, ['3', '4', '5']);
});

Deno.test('the note says how an answer ended and how fast it was', () => {
  assertEquals(noteOf(chunk('stop')), '11 tokens · 5 tokens/s');
  assertEquals(noteOf(chunk('length')), 'Cut off · 11 tokens · 5 tokens/s');
  assertEquals(noteOf(chunk('abort')), 'Stopped · 11 tokens · 5 tokens/s');
});
