import { assert, assertEquals, assertFails } from '../assert.js';
import { readMessages, readTools } from '../../../runtime_js/runtime/chat/messages.js';
import { MdstError } from '../../../runtime_js/runtime/errors.js';

Deno.test('parts become one text; other fields stay', () => {
  const tool_calls = [{ id: 'a' }];
  assertEquals(
    readMessages([
      { role: 'system', content: 'S' },
      {
        role: 'user',
        name: 'n',
        content: [{ type: 'text', text: 'a' }, { type: 'text', text: 'b' }],
      },
      { role: 'assistant', content: null, tool_calls },
      { role: 'tool', tool_call_id: 'a', content: '' },
    ]),
    [
      { role: 'system', content: 'S' },
      { name: 'n', role: 'user', content: 'ab' },
      { tool_calls, role: 'assistant', content: null },
      { tool_call_id: 'a', role: 'tool', content: '' },
    ],
  );
});

/** @type {[string, any][]} */
const WRONG = [
  ['messages', undefined],
  ['messages', []],
  ['messages', 'hello'],
  ['messages[0]', ['hello']],
  ['messages[0].role', [{ content: 'x' }]],
  ['messages[1].role', [{ role: 'user', content: 'x' }, { role: '', content: 'x' }]],
  ['messages[0].content', [{ role: 'user', content: 5 }]],
  ['messages[0].content[0]', [{ role: 'user', content: ['x'] }]],
  ['messages[0].content[1].type', [{
    role: 'user',
    content: [{ type: 'text', text: 'x' }, { type: 'image_url', image_url: {} }],
  }]],
  ['messages[0].content[0].text', [{ role: 'user', content: [{ type: 'text' }] }]],
];

for (const [param, messages] of WRONG) {
  Deno.test(`${JSON.stringify(messages)} is refused`, async () => {
    const error = await assertFails(() => readMessages(messages), 'invalid_request');
    assert(error instanceof MdstError);
    assertEquals(error.param, param);
  });
}

Deno.test('tools reach the template unless they may not be used', async () => {
  const tools = [{ type: 'function', function: { name: 'f' } }];
  assertEquals(readTools({ tools }), tools);
  assertEquals(readTools({ tools, tool_choice: 'auto' }), tools);
  assertEquals(readTools({ tools, tool_choice: 'none' }), null);
  assertEquals(readTools({ tools: [] }), null);
  assertEquals(readTools({}), null);
  for (
    const [param, given] of /** @type {[string, any][]} */ ([
      ['tool_choice', { tools, tool_choice: 'required' }],
      ['tool_choice', { tools, tool_choice: { type: 'function', function: { name: 'f' } } }],
      ['tools', { tools: {} }],
      ['tools[0]', { tools: ['f'] }],
    ])
  ) {
    const error = await assertFails(() => readTools(given), 'invalid_request');
    assert(error instanceof MdstError);
    assertEquals(error.param, param);
  }
});

Deno.test('arguments of a call are what their JSON means, if it is an object', () => {
  const called = (/** @type {unknown} */ given) => {
    const tool_calls = [{ id: 'a', type: 'function', function: { name: 'f', arguments: given } }];
    const [message] = readMessages([{ role: 'assistant', content: null, tool_calls }]);
    return /** @type {any} */ (message).tool_calls[0].function;
  };
  assertEquals(called('{"city": "Oslo"}'), { name: 'f', arguments: { city: 'Oslo' } });
  assertEquals(called('{"city": '), { name: 'f', arguments: '{"city": ' });
  assertEquals(called('7'), { name: 'f', arguments: '7' });
  assertEquals(called({ city: 'Oslo' }), { name: 'f', arguments: { city: 'Oslo' } });
});
