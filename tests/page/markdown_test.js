import { assert, assertEquals, randomInt } from '../runtime_js/assert.js';
import { inert, inertLine } from '../../templates/page/page/inert.js';
import { finished, parseBlocks } from '../../templates/page/page/markdown/blocks.js';
import { parseInline } from '../../templates/page/page/markdown/inline.js';

/** @param {string} text @returns {any[]} blocks without the lines that they begin in */
function blocks(text) {
  return JSON.parse(JSON.stringify(parseBlocks(text), (key, value) => {
    return key === 'line' ? undefined : value;
  }));
}

/** @param {string} text */
const paragraph = (text) => ({ kind: 'paragraph', text });

Deno.test('headings, paragraphs, rules and quotes', () => {
  assertEquals(blocks('# One #\n\ntwo\n  three\n\n***\n> four\n> > five'), [
    { kind: 'heading', level: 1, text: 'One' },
    paragraph('two\nthree'),
    { kind: 'rule' },
    { kind: 'quote', blocks: [paragraph('four'), { kind: 'quote', blocks: [paragraph('five')] }] },
  ]);
  assertEquals(blocks('#tag\n-- no rule'), [paragraph('#tag\n-- no rule')]);
});

Deno.test('fenced code keeps its text; one that is not closed goes on to the end', () => {
  const code = { kind: 'code', language: 'js', text: 'a();\n\n  # b *c*' };
  assertEquals(blocks('```js title\na();\n\n  # b *c*\n```\nend'), [code, paragraph('end')]);
  assertEquals(blocks('````js\na();\n\n  # b *c*'), [code]);
  const inner = { kind: 'code', language: '', text: '```' };
  assertEquals(blocks('~~~~\n```\n~~~~'), [inner]);
});

Deno.test('lists nest however they are indented, and number on', () => {
  for (const indent of ['  ', '   ', '    ']) {
    const [list, ...rest] = blocks(`1. one\n${indent}- in\n${indent}- side\n2. two`);
    assertEquals(rest, []);
    const inside = { kind: 'list', start: null, items: [[paragraph('in')], [paragraph('side')]] };
    assertEquals(list, {
      kind: 'list',
      start: 1,
      items: [[paragraph('one'), inside], [paragraph('two')]],
    }, indent);
  }
  assertEquals(blocks('3) a\n\n   b\n\n4) c'), [
    { kind: 'list', start: 3, items: [[paragraph('a'), paragraph('b')], [paragraph('c')]] },
  ]);
  assertEquals(blocks('- a\nb\n\nc'), [
    { kind: 'list', start: null, items: [[paragraph('a\nb')]] },
    paragraph('c'),
  ]);
  const code = { kind: 'code', language: 'sh', text: 'ls\n\nls' };
  assertEquals(blocks('- run\n  ```sh\n  ls\n\n  ls\n  ```\n- [x] done'), [
    { kind: 'list', start: null, items: [[paragraph('run'), code], [paragraph('☑ done')]] },
  ]);
  assertEquals(blocks('In 1984. It was\n1984. good'), [paragraph('In 1984. It was\n1984. good')]);
});

Deno.test('tables', () => {
  assertEquals(blocks('so:\n| a | b \\| c | d |\n|---|:-:|--:|\n| 1 | 2\n\nend'), [
    paragraph('so:'),
    {
      kind: 'table',
      align: ['', 'center', 'end'],
      rows: [['a', 'b | c', 'd'], ['1', '2', '']],
    },
    paragraph('end'),
  ]);
  assertEquals(blocks('a | b\n--- | --- | ---'), [paragraph('a | b\n--- | --- | ---')]);
});

Deno.test('emphasis', () => {
  const em = { kind: 'em', children: ['b'] };
  const strong = { kind: 'strong', children: ['b'] };
  assertEquals(parseInline('a *b* _b_ **b** __b__ ~~b~~'), [
    'a ',
    ...[em, ' ', em, ' ', strong, ' ', strong, ' ', { kind: 'del', children: ['b'] }],
  ]);
  assertEquals(parseInline('***b***'), [{ kind: 'em', children: [strong] }]);
  assertEquals(parseInline('**a *b***'), [{ kind: 'strong', children: ['a ', em] }]);
  for (const plain of ['2 * 3 * 4', 'snake_case_name', '**open', 'a ~b~', '* a', '5*']) {
    assertEquals(parseInline(plain), [plain]);
  }
  assertEquals(parseInline('\\*a\\* \\a'), ['*a* \\a']);
});

Deno.test('code spans and line breaks', () => {
  const code = (/** @type {string} */ text) => ({ kind: 'code', text });
  assertEquals(parseInline('`a*b*` `` ` `` `x'), [code('a*b*'), ' ', code('`'), ' `x']);
  assertEquals(parseInline('a\nb<br>c<BR />d<b>'), [
    ...['a', { kind: 'br' }, 'b', { kind: 'br' }, 'c', { kind: 'br' }, 'd<b>'],
  ]);
});

Deno.test('links lead to http and https alone', () => {
  const link = (/** @type {string} */ href, /** @type {unknown[]} */ ...children) => ({
    kind: 'a',
    href,
    children,
  });
  const found = parseInline('[a *b*](https://x.org/a_b_(c) "t") ![i](<http://y.org>)');
  assertEquals(found, [
    link('https://x.org/a_b_(c)', 'a ', { kind: 'em', children: ['b'] }),
    ' ',
    link('http://y.org/', 'i'),
  ]);
  assertEquals(parseInline('see https://x.org/a_b_c. (<https://y.org/q?a=1&b>)'), [
    'see ',
    link('https://x.org/a_b_c', 'https://x.org/a_b_c'),
    '. (',
    link('https://y.org/q?a=1&b', 'https://y.org/q?a=1&b'),
    ')',
  ]);
  // A link holds no other link.
  assertEquals(parseInline('[https://a.org](https://b.org)'), [
    link('https://b.org/', 'https://a.org'),
  ]);
  for (
    const address of [
      ...[
        'javascript:alert(1)',
        'JaVaScRiPt:alert(1)',
        'data:text/html,x',
        'file:///etc',
        '//x.org',
      ],
      ...['/x', 'x.html', 'https://', 'http://%', 'vbscript:x', 'blob:https://x.org/1', ''],
    ]
  ) {
    for (const item of parseInline(`[a](${address}) <${address}>`)) {
      assert(typeof item === 'string' || (item.kind === 'a' && item.href === 'https://x.org/1'));
    }
  }
});

Deno.test('a text that grows gives the same blocks as the whole of it', () => {
  const bits = [
    ...[
      '# a',
      '- b',
      '  - c',
      '1. d',
      '2. e',
      '> f',
      '```',
      '```js',
      '~~~',
      '| a | b |',
      '|---|---|',
    ],
    ...[
      '---',
      '***',
      'word',
      'two words',
      '',
      '',
      '    deep',
      '[x](https://y)',
      '|',
      '-',
      '#',
      '\t',
    ],
  ];
  for (let round = 0; round < 300; round += 1) {
    const lines = Array.from({ length: 1 + randomInt(14) }, () => bits[randomInt(bits.length - 1)]);
    const text = lines.join('\n');
    /** @type {any[]} */
    const done = [];
    let start = 0;
    for (let end = 0; end <= text.length; end += 1 + randomInt(3)) {
      const rest = text.slice(start, end);
      const found = parseBlocks(rest);
      const { count, length } = finished(found, rest);
      done.push(...found.slice(0, count));
      start += length;
    }
    const all = [...done, ...parseBlocks(text.slice(start))];
    const plain = JSON.stringify(all, (key, value) => key === 'line' ? undefined : value);
    assertEquals(JSON.parse(plain), blocks(text), JSON.stringify(text));
  }
});

Deno.test('hostile texts take little time and nest little', () => {
  const size = 100_000;
  const units = [
    ...[
      '*',
      '_a',
      '*a ',
      '**a',
      '~~a',
      '`',
      '[',
      '[a](',
      '[a](b "',
      '![',
      '](x',
      '> ',
      '- ',
      '1. ',
    ],
    ...[
      '- - ',
      '|',
      '|-|\n',
      '| ',
      '#',
      '# #',
      '\\',
      '<',
      '<br',
      'http://',
      'https://)',
      ' ',
      '  \n',
    ],
    ...['```\n', '~~~ ', '*a_b', '-\n', '- a\n  ', '`` ` ', '(', ')', '[a](https://b.c)', '- > '],
  ];
  const runs = Array.from({ length: 400 }, (_, i) => '`'.repeat(i + 1)).join(' ');
  for (const text of [...units.map((unit) => unit.repeat(size / unit.length)), runs]) {
    const started = performance.now();
    const parsed = parseBlocks(text);
    assert(depth(parsed) < 100);
    assert(depth(parseInline(text)) < 100);
    const time = performance.now() - started;
    assert(time < 1500, `${JSON.stringify(text.slice(0, 12))} took ${time} ms`);
  }
});

/** @param {any} node @returns {number} */
function depth(node) {
  let deepest = 0;
  for (const stack = [[node, 0]]; stack.length > 0;) {
    const [each, level] = /** @type {[any, number]} */ (stack.pop());
    if (typeof each !== 'object' || each === null) continue;
    deepest = Math.max(deepest, level);
    for (const child of Object.values(each)) stack.push([child, level + 1]);
  }
  return deepest;
}

Deno.test('characters that disturb other text are replaced', () => {
  assertEquals(inert('a\u202Eb\u2066c\0d\x1Be\u2028f'), 'a\uFFFDb\uFFFDc\uFFFDd\uFFFDe\uFFFDf');
  assertEquals(inert('a\tb\r\nc\rd'), 'a\tb\nc\nd');
  assertEquals(inert('שלום عربي 👩‍👩‍👧 e\u0301'), 'שלום عربي 👩‍👩‍👧 e\u0301');
  assertEquals(inertLine(' a \n\n b\u202E '), 'a b\uFFFD');
  assertEquals(inertLine('👍'.repeat(9), 5), '👍👍👍👍…');
});
