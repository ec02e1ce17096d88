/** Limits and errors of chat templates; what they render is checked in tests/text/chat. */

import { MdstError } from '../../../runtime_js/runtime/errors.js';
import { renderChat } from '../../../runtime_js/runtime/template/chat_template.js';
import { Renderer } from '../../../runtime_js/runtime/template/renderer.js';
import { Budget, fromJson, Missing } from '../../../runtime_js/runtime/template/values.js';
import { assertEquals } from '../assert.js';

/** @param {unknown[]} tree @param {Record<string, unknown>} [more] */
function render(tree, more) {
  const data = { format: 1, templates: { default: tree } };
  return renderChat(data, { messages: [{ role: 'user', content: 'Hi' }], ...more });
}

/** @param {() => Promise<unknown>} run @returns {Promise<string>} the message of its typed error */
async function message(run) {
  try {
    await run();
  } catch (error) {
    if (error instanceof MdstError && error.code === 'invalid_request') return error.message;
    throw error;
  }
  throw new Error('it did not fail');
}

const RANGE = ['call', ['name', 'range'], [100_000]];
/** @param {unknown} inner */
const macro = (inner) => [['macro', ['f', [], [], [['print', inner]], []]], ['print', inner]];
const CALL = ['call', ['name', 'f'], []];
const DOUBLE = ['+', ['name', 'x'], ['name', 'x']];

Deno.test('a template cannot take all time or memory', async () => {
  /** @type {[unknown[], string][]} */
  const bombs = [
    [[['for', 'i', RANGE, [], [['for', 'j', RANGE, [], ['x'], []]], []]], 'too many steps'],
    [[['print', ['*', 'x', 1_000_000_000]]], 'too long'],
    [[['print', ['*', ['list', [1]], 1_000_000_000]]], 'too long'],
    [macro(CALL), 'nested too deep'],
    [
      [['set', ['ns', 'n', 'x'], 'x']],
      'non-namespace',
    ],
    [
      [
        ['set', 'n', ['call', ['name', 'namespace'], [], ['x', 'xxxxxxxx']]],
        ['for', 'i', RANGE, [], [[
          'set',
          ['ns', 'n', 'x'],
          ['+', ['attr', ['name', 'n'], 'x'], ['attr', ['name', 'n'], 'x']],
        ]], []],
      ],
      'too long',
    ],
    [
      [
        ['set', 'x', ['list', ['a']]],
        ...Array.from({ length: 60 }, () => ['set', 'x', ['list', [['name', 'x'], ['name', 'x']]]]),
        ['print', ['filter', 'tojson', ['name', 'x'], []]],
      ],
      'too many steps',
    ],
    [[['set', 'x', 'ab'], ...Array(30).fill(['set', 'x', DOUBLE])], 'too long'],
  ];
  for (const [tree, said] of bombs) {
    const start = performance.now();
    assertEquals((await message(() => render(tree))).includes(said), true);
    assertEquals(performance.now() - start < 5000, true);
  }
});

Deno.test('a conversation that cannot be rendered', async () => {
  const refuse = [['print', ['call', ['name', 'raise_exception'], ['No, thanks.']]]];
  assertEquals(await message(() => render(refuse)), 'the chat template: No, thanks.');
  /** @type {any} */
  const circle = {};
  circle.circle = circle;
  assertEquals((await message(() => render(['x'], { circle }))).includes('nested too deep'), true);
  assertEquals(
    (await message(() => render(['x'], { now: 'tomorrow' }))).includes('YYYY-MM-DD'),
    true,
  );
  assertEquals(
    (await message(() => renderChat({ format: 1, templates: {} }, { messages: [] })))
      .includes('completions'),
    true,
  );
});

Deno.test('names of JavaScript are not names of a template', async () => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'globalThis']) {
    assertEquals(await render([['print', ['name', name]]]), '');
    for (const of of [['name', 'messages'], 'text', 1, ['item', ['name', 'messages'], 0]]) {
      assertEquals(await render([['print', ['attr', of, name]]]), '');
      assertEquals(await render([['print', ['item', of, name]]]), '');
    }
    assertEquals(
      (await message(() => render([['print', ['filter', name, 1, []]]]))).length > 0,
      true,
    );
  }
  const value = JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}');
  assertEquals(
    await render([['print', ['filter', 'tojson', ['name', 'v'], []]]], { v: value }),
    '{"__proto__": {"a": 1}, "constructor": 2}',
  );
});

Deno.test('tools, the day and other variables reach the template', async () => {
  const templates = {
    default: [['print', ['call', ['name', 'strftime_now'], ['%d %B %Y, %A %j']]]],
    tool_use: [['print', ['name', 'extra']]],
  };
  const conversation = { messages: [], now: '2024-12-31', extra: '<script>' };
  assertEquals(
    await renderChat({ format: 1, templates }, conversation),
    '31 December 2024, Tuesday 366',
  );
  const tools = [{ name: 'f' }];
  assertEquals(await renderChat({ format: 1, templates }, { ...conversation, tools }), '<script>');
});

Deno.test('a plain conversation needs nothing rare, and what does says so', () => {
  /** @param {unknown[]} body */
  const alone = (body) => {
    const budget = new Budget();
    const messages = [{ role: 'user', content: ' Hi ' }];
    return new Renderer(budget, {}).render(body, fromJson(budget, { messages }));
  };
  const message = ['name', 'm'];
  /** @param {unknown} value */
  const each = (value) => [['for', 'm', ['name', 'messages'], [], [['print', value]], []]];
  const content = ['attr', message, 'content'];
  assertEquals(
    alone(each(['+', ['attr', message, 'role'], ['filter', 'trim', content, []]])),
    'userHi',
  );
  assertEquals(alone(each(['attr', message, 'tool_calls'])), '');
  const rare = [
    ['filter', 'tojson', message, []],
    ['call', ['attr', content, 'title'], []],
    ['test', 'odd', 1, []],
    ['*', content, 2],
    ['cmp', ['list', []], ['<', 1]],
    message,
  ];
  for (const value of rare) {
    let error;
    try {
      alone(each(value));
    } catch (thrown) {
      error = thrown;
    }
    assertEquals(error instanceof Missing, true);
  }
});
