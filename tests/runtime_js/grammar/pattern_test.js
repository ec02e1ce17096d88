import { compileSchema } from '../../../runtime_js/runtime/grammar/grammar.js';
import { constrain } from '../../../runtime_js/runtime/grammar/grammar.js';
import { assert, assertEquals, assertFails, randomInt } from '../assert.js';
import { Generator } from './schemas.js';
import { accepts, byteTable, draw, textOf } from './tables.js';

const ATOMS = [
  ...[
    'a',
    'b',
    '\\d',
    '\\w',
    '\\s',
    '\\D',
    '\\W',
    '\\S',
    '.',
    '[ab]',
    '[^ab]',
    '[a-d\\d]',
    '[-a]',
    '[a-]',
  ],
  ...[
    '\\.',
    '\\n',
    '\\t',
    '\\x41',
    '\\u0062',
    '\\u{1F600}',
    '\\uD83D\\uDE00',
    'ü',
    '😀',
    '[😀-😂]',
    '[^\\n]',
  ],
  ...[
    '\\/',
    '\\\\',
    '"',
    '[\\]\\\\"]',
    '[\\b]',
    '(ab|c)',
    '(?:a|)',
    '[^]',
    '\\0',
    '\\v',
  ],
];
const MARKS = ['', '', '', '?', '*', '+', '{2}', '{1,2}', '{2,}', '{0}', '*?', '+?', '{1,2}?'];
const CHARACTERS = [...'aabbcdA.0 \n\t-"\\/]ü😀😂\u2028\u0000\u0008\u00a0_'];
const SEED = randomInt(2 ** 31);
const generator = new Generator(SEED);

function randomPattern() {
  const branch = () => {
    const terms = Array.from(
      { length: generator.below(4) },
      () => generator.pick(ATOMS) + generator.pick(MARKS),
    );
    return generator.pick(['', '^']) + terms.join('') + generator.pick(['', '$']);
  };
  return Array.from({ length: 1 + generator.below(2) }, branch).join('|');
}

function randomString() {
  return Array.from({ length: generator.below(6) }, () => generator.pick(CHARACTERS)).join('');
}

Deno.test('patterns find what RegExp finds', () => {
  let found = 0;
  for (let turn = 0; turn < 300; turn++) {
    const pattern = randomPattern();
    const grammar = compileSchema({ type: 'string', pattern });
    const wanted = new RegExp(pattern, 'u');
    for (let i = 0; i < 12; i++) {
      const text = randomString();
      found += Number(wanted.test(text));
      assertEquals(
        accepts(grammar, JSON.stringify(text)),
        wanted.test(text),
        `seed ${SEED}: ${pattern} in ${JSON.stringify(text)}:`,
      );
    }
  }
  assert(found > 100, `${found} were found`);
});

Deno.test('named groups, and patterns that are long but simple', () => {
  const named = compileSchema({ type: 'string', pattern: '^(?<ä>a|b)+$' });
  assert(accepts(named, '"ab"') && !accepts(named, '"c"'));
  for (const pattern of ['(a|aa)*'.repeat(100), '^.{1,1000}$', '^(a|b)*a(a|b){5}$']) {
    assert(accepts(compileSchema({ type: 'string', pattern }), '"baaaaba"'), pattern);
  }
});

Deno.test('drawn texts are found by RegExp', () => {
  const table = byteTable();
  for (let turn = 0; turn < 100; turn++) {
    const pattern = randomPattern();
    const constraint = constrain(compileSchema({ type: 'string', pattern }), table);
    const ids = draw(constraint.matcher({ budget: 30 }), table, (count) => generator.below(count));
    const text = JSON.parse(textOf(table, ids));
    assert(
      new RegExp(pattern, 'u').test(text),
      `seed ${SEED}: ${pattern} in ${JSON.stringify(text)}`,
    );
  }
});

for (
  const pattern of [
    ...[
      '(?=a)',
      '(?!a)',
      '(?<=a)',
      '(?<!a)',
      '\\bword',
      '\\B',
      '(a)\\1',
      '\\k<a>',
      '\\p{L}',
      '\\cA',
    ],
    ...[
      'a^',
      'a$b',
      '(^a)',
      '(a$)',
      'a**',
      'a{2,1}',
      'a{',
      '{2}',
      '*a',
      '(a',
      'a)',
      '[a',
      '[b-a]',
      '\\',
    ],
    ...['[a-\\d]', '\\u{110000}', '\\u12', '\\xg0', '\\07', ']', '}'],
    ...[
      '(a{100}){100}',
      '^(.*a.{14})$',
      'a{99999}',
      '(((a{60}){60}){60})',
    ],
  ]
) {
  Deno.test(`refused: ${pattern.slice(0, 30)}`, async () => {
    const started = performance.now();
    const schema = { type: 'object', properties: { a: { type: 'string', pattern } } };
    const error = await assertFails(() => compileSchema(schema), 'invalid_request');
    assert(error.message.includes('#/properties/a/pattern'), error.message);
    assert(performance.now() - started < 3000, 'soon');
  });
}
