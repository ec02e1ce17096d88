import {
  anyObject,
  compileSchema,
  constrain,
} from '../../../runtime_js/runtime/grammar/grammar.js';
import { assert, assertEquals, assertFails, randomInt } from '../assert.js';
import { accepts, byteTable, draw, textOf } from './tables.js';

/**
 * @param {unknown} schema
 * @param {string[]} right
 * @param {string[]} wrong
 */
function check(schema, right, wrong) {
  const grammar = compileSchema(schema);
  for (const text of right) {
    assert(accepts(grammar, text), `${JSON.stringify(schema)} takes ${text}`);
  }
  for (const text of wrong) {
    assert(!accepts(grammar, text), `${JSON.stringify(schema)} takes not ${text}`);
  }
}

const ab = { a: { type: 'integer' }, b: { type: 'null' } };

Deno.test('objects: order, optional and required properties, and others', () => {
  check({ type: 'object', properties: ab, required: ['b'] }, ['{"b":null}', '{"a":1,"b":null}'], [
    '{}',
    '{"a":1}',
    '{"b":null,"a":1}',
    '{"b":null,}',
    '{"b":null,"c":1}',
  ]);
  check({ properties: ab }, ['{}', '{"a":1}', '{"b":null}', '{"a":1,"b":null}'], [
    '{,"b":null}',
    '1',
  ]);
  check({ type: 'object', properties: ab, additionalProperties: { type: 'boolean' } }, [
    '{}',
    '{"x":true}',
    '{"a":1,"x":true,"":false}',
    '{"aa":true,"q\\"":true,"ä":false}',
  ], ['{"a":true}', '{"x":true,"a":1}', '{"b":true}', '{"x":1}', '{"\\u0061":true}']);
  check({ type: 'object' }, ['{}', '{"any":[{"thing":null}]}'], ['[]']);
  check({ type: 'object', required: ['x'] }, ['{"x":[1]}'], ['{}', '{"x":1,"y":1}']);
  check({ type: 'object', additionalProperties: false }, ['{}', '{}'], ['{"a":1}', '{ }']);
  check(
    { type: 'object', properties: { 'a"\n': { const: 1 } }, required: ['a"\n'] },
    ['{"a\\"\\n":1}'],
    ['{"a"\n":1}'],
  );
});

Deno.test('arrays: items, prefixes and counts', () => {
  check({ type: 'array', items: { const: 1 }, minItems: 1, maxItems: 3 }, ['[1]', '[1,1,1]'], [
    '[]',
    '[1,1,1,1]',
    '[1,]',
    '[2]',
  ]);
  check({ type: 'array', prefixItems: [{ const: 1 }, { const: 2 }], items: { const: 3 } }, [
    '[]',
    '[1]',
    '[1,2]',
    '[1,2,3,3]',
  ], ['[2]', '[1,3]']);
  check({ type: 'array', prefixItems: [{ const: 1 }, { const: 2 }], items: false, minItems: 1 }, [
    '[1]',
    '[1,2]',
  ], ['[]', '[1,2,3]']);
  check({ type: 'array', maxItems: 0 }, ['[]'], ['[1]']);
  check({ minItems: 2, maxItems: 2, items: { type: 'boolean' } }, ['[true,false]'], ['[true]']);
});

Deno.test('scalars', () => {
  check({ type: 'number' }, [
    ...['0', '-0.5', '12.25', '1e-7', '1.5E+300', '123456789012345680000'],
    // The longest that JavaScript writes: 5 zeros and 17 digits; and the smallest of all.
    ...['-0.0000012345678901234567', '-1.2345678901234567e-100', '5e-324', '9.9e307'],
  ], ['01', '+1', '.5', '1.', '1e999', '1e308', '0.00000123456789012345678', 'NaN', '']);
  check({ type: 'integer' }, ['0', '-12', '9007199254740991'], ['-0', '1.0', '1e3', '01', '-']);
  check({ type: ['boolean', 'null'] }, ['true', 'false', 'null'], ['True', 'nul', '0']);
  check({ enum: [1, 'é"', { a: [null] }, 1] }, ['1', '"é\\""', '{"a":[null]}'], ['2', '"é"']);
  check({ type: 'string', enum: ['a', 1, null] }, ['"a"'], ['1', 'null']);
  check({ const: null }, ['null'], ['0']);
  check(true, ['1', '"a"', '[{}]', '{"a":{"b":[]}}', 'null'], ['', '[', 'a']);
});

Deno.test('strings: escapes, UTF-8 and lengths', () => {
  const right = [
    '""',
    '"\\u00e9\\n\\/"',
    '"é\u{10ffff}\u007f"',
    '"\\ud83d\\ude00"',
    '"\\uD7FF\\ue000"',
  ];
  const wrong = [
    '"\n"',
    '"\\x"',
    '"\\ud83d"',
    '"\\ude00"',
    '"\\ud83d\\u0041"',
    '"\\u12"',
    '"',
    'a',
  ];
  check({ type: 'string' }, right, wrong);
  const broken = [[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff], [0x80], [
    0xe2,
    0x82,
  ]];
  for (const bytes of broken) {
    assert(
      !accepts(compileSchema({ type: 'string' }), Uint8Array.of(34, ...bytes, 34)),
      `${bytes}`,
    );
  }
  check({ type: 'string', minLength: 1, maxLength: 2 }, ['"😀"', '"\\ud83d\\ude00é"'], [
    '""',
    '"abc"',
  ]);
});

Deno.test('white space is bounded', () => {
  check({ type: 'array', items: { type: 'object', properties: ab } }, [
    '[\n  {\n    "a": 1,\n    "b": null\n  }\n]',
    '[{"a":1, "b": null}]',
    ' [ ]'.replace(' ]', ']'),
    '[\n\t{\n\t\t"a": 1\n\t}\n]',
  ], ['[  1]', '[\n\n]', '  []', '[] ', '[{"a" :1}]', `[\n${' '.repeat(33)}{}]`]);
});

Deno.test('integers in ranges', () => {
  for (let turn = 0; turn < 60; turn++) {
    const minimum = randomInt(2400) - 1200;
    const maximum = minimum + randomInt([0, 9, 300, 2500][randomInt(3)]);
    const grammar = compileSchema({ type: 'integer', minimum, maximum });
    const near = Array.from({ length: 12 }, () => minimum - 5 + randomInt(maximum - minimum + 10));
    for (const value of [...near, minimum, maximum, minimum - 1, maximum + 1, 0, -minimum]) {
      const wanted = value >= minimum && value <= maximum;
      assertEquals(accepts(grammar, `${value}`), wanted, `${value} in ${minimum}..${maximum}:`);
    }
    assert(!accepts(grammar, `0${maximum}`) && !accepts(grammar, '-0'), 'canonical');
  }
  check({ type: 'integer', exclusiveMinimum: 1.5, exclusiveMaximum: 4 }, ['2', '3'], [
    '1',
    '4',
    '30',
  ]);
  check({ minimum: -3 }, ['-3', '0', '9007199254740991'], ['-4', '9007199254740992']);
  check({ type: 'integer', maximum: -1e15 }, ['-1000000000000000'], ['-999999999999999', '0']);
});

Deno.test('alternatives and references, also to themselves', () => {
  check({ anyOf: [{ type: 'null' }, { const: 'n' }] }, ['null', '"n"'], ['n', 'nulln']);
  check({ type: 'object', allOf: [{ type: 'object', properties: ab }] }, ['{"a":1}'], ['{"c":1}']);
  const list = { anyOf: [{ type: 'null' }, { type: 'array', items: { $ref: '#' }, maxItems: 2 }] };
  check(list, ['null', '[[null,[]],null]'], ['[null,null,null]', '[1]']);
  const schema = {
    $ref: '#/definitions/a~1%20b',
    definitions: { 'a/ b': { type: 'array', items: { $ref: '#/$defs/x' } } },
    $defs: { x: { const: 1 }, unused: { not: {} } },
  };
  check(schema, ['[1,1]'], ['[2]']);
  const kinds = ['cat', 'dog'].map((kind) => ({
    type: 'object',
    properties: { kind: { const: kind }, age: { type: 'integer' } },
    required: ['kind'],
  }));
  check({ oneOf: kinds }, ['{"kind":"cat","age":1}', '{"kind":"dog"}'], ['{"kind":"cow"}']);
  check({ oneOf: [{ type: 'string' }, { type: ['integer', 'null'] }, { enum: [true] }] }, [
    '1',
    '"a"',
  ], [
    'false',
  ]);
});

Deno.test('any object, cut to a budget', () => {
  const table = byteTable();
  const constraint = constrain(anyObject(), table);
  for (let turn = 0; turn < 50; turn++) {
    const budget = 2 + randomInt(200);
    const ids = draw(constraint.matcher({ budget }), table, (count) => randomInt(count - 1));
    const value = JSON.parse(textOf(table, ids));
    assert(ids.length <= budget && typeof value === 'object' && !Array.isArray(value));
  }
});

/** @type {[string, unknown, string][]} */
const REFUSED = [
  ['an unknown keyword', { properties: { a: { items: { not: {} } } } }, '#/properties/a/items/not'],
  ['a keyword of a definition', { $ref: '#/$defs/a', $defs: { a: { if: {} } } }, '#/$defs/a/if'],
  ['uniqueItems', { type: 'array', uniqueItems: true }, '#/uniqueItems'],
  ['bounds of numbers', { type: 'number', minimum: 0.5 }, '#/minimum'],
  ['a pattern with a length', { type: 'string', pattern: 'a', maxLength: 3 }, '#/pattern'],
  ['alternatives that overlap', { oneOf: [{ type: 'integer' }, { type: 'number' }] }, '#/oneOf'],
  ['keywords beside a reference', { $ref: '#/$defs/a', items: {}, $defs: { a: {} } }, '#/items'],
  ['a reference to nowhere', { $ref: '#/$defs/none' }, '#/$ref'],
  ['a reference to another file', { $ref: 'https://example.com/x' }, '#/$ref'],
  ['an inherited name', { $ref: '#/constructor' }, '#/$ref'],
  ['an unknown type', { type: 'text' }, '#/type'],
  ['no types', { type: [] }, '#/type'],
  ['an empty enum', { enum: [] }, '#/enum'],
  ['an empty anyOf', { anyOf: [] }, '#/anyOf'],
  ['properties that are none', { properties: [] }, '#/properties'],
  ['required that is none', { required: 'a' }, '#/required'],
  ['a count that is none', { minItems: -1 }, '#/minItems'],
  ['a bound that is none', { type: 'integer', minimum: '3' }, '#/minimum'],
  ['a schema that is none', { items: 3 }, '#/items'],
  ['no schema', null, '#'],
  ['undefined', undefined, '#'],
  ['a contradiction', { type: 'integer', minimum: 3, maximum: 2 }, '#'],
  ['false', false, '#'],
  ['more items than there may be', {
    type: 'array',
    items: { type: 'null' },
    minItems: 3,
    maxItems: 2,
  }, '#'],
  [
    'recursion without end',
    { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] },
    '#',
  ],
  ['a reference to itself', { $ref: '#' }, '#'],
  ['a value that is too long', { type: 'array', minItems: 1e9 }, '#'],
  ['a huge enum', { enum: Array.from({ length: 20_000 }, (_, i) => i) }, '#/enum'],
  ['a huge schema', { description: 'x'.repeat(300_000) }, '#'],
  ['deep nesting', nested(2000), '#/items'],
  ['very deep nesting', nested(100_000), '#'],
];

for (const [name, schema, path] of REFUSED) {
  Deno.test(`refused: ${name}`, async () => {
    const started = performance.now();
    const error = await assertFails(() => compileSchema(schema), 'invalid_request');
    assert(error.message.startsWith(`JSON schema, ${path}`), error.message);
    assert(performance.now() - started < 2000, 'soon');
  });
}

Deno.test('annotations are ignored', () => {
  const notes = {
    $schema: 'x',
    title: 't',
    description: 'd',
    default: 1,
    examples: [],
    $comment: '',
  };
  check({ ...notes, type: 'null', deprecated: true }, ['null'], ['1']);
});

Deno.test('a cycle of objects is refused', async () => {
  /** @type {any} */
  const schema = { type: 'array' };
  schema.items = schema;
  await assertFails(() => compileSchema(schema), 'invalid_request');
});

/** @param {number} depth */
function nested(depth) {
  /** @type {any} */
  let schema = {};
  for (let i = 0; i < depth; i++) schema = { items: schema };
  return schema;
}
