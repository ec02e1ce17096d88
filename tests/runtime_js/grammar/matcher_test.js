import { compileSchema, constrain } from '../../../runtime_js/runtime/grammar/grammar.js';
import { assert, assertEquals, assertFails, randomInt } from '../assert.js';
import { Generator, valid } from './schemas.js';
import { allowed, byteTable, draw, idsOf, take, textOf, tinyTable } from './tables.js';

const LONGER = [
  '{"',
  '":',
  '": ',
  ',"',
  '"}',
  'na',
  'name',
  'true',
  'red',
  '12',
  ']}',
  'öß',
  '\n  ',
  '€',
];
const TABLES = [byteTable(LONGER), await tinyTable('bpe'), await tinyTable('spm')];
const SEED = randomInt(2 ** 31);

for (const [i, table] of TABLES.entries()) {
  Deno.test(`random texts fit their schemas: vocabulary ${i}`, () => {
    const generator = new Generator(SEED + i);
    const below = (/** @type {number} */ count) => generator.below(count);
    for (let turn = 0; turn < 100; turn++) {
      const schema = generator.schema();
      const constraint = constrain(compileSchema(schema), table);
      const least = constraint.matcher().distance;
      const budget = least + generator.below(80);
      const ids = draw(constraint.matcher({ budget }), table, below);
      const text = textOf(table, ids);
      assert(ids.length <= budget, `${ids.length} tokens of ${budget}`);
      assert(
        valid(JSON.parse(text), schema, schema),
        `seed ${SEED + i}: ${JSON.stringify(schema)}: ${text}`,
      );
    }
  });
}

Deno.test('any tokenization of a value that fits is allowed', () => {
  const generator = new Generator(SEED);
  for (let turn = 0; turn < 150; turn++) {
    const schema = generator.schema();
    const value = generator.value(schema);
    assert(valid(value, schema, schema), 'the value fits');
    for (const table of TABLES) {
      const matcher = constrain(compileSchema(schema), table).matcher();
      const bytes = new TextEncoder().encode(JSON.stringify(value));
      for (let at = 0; at < bytes.length;) {
        const here = [...table.ids].filter((id) =>
          table.pieces[id].every((byte, j) => byte === bytes[at + j])
        );
        const id = generator.pick(here);
        assert(
          take(matcher, id),
          `seed ${SEED}: ${JSON.stringify(schema)}: ${JSON.stringify(value)} at byte ${at}`,
        );
        at += table.pieces[id].length;
      }
      assert(matcher.done, 'complete');
      for (const id of table.endIds) assert(allowed(matcher.mask(), id), 'may end');
    }
  }
});

Deno.test('every allowed token leads to a text that can be completed', () => {
  const generator = new Generator(SEED);
  for (let turn = 0; turn < 20; turn++) {
    const schema = generator.schema();
    for (const table of TABLES) {
      const matcher = constrain(compileSchema(schema), table).matcher({ budget: 60 });
      for (let step = 0; step < 8 && !matcher.mustEnd; step++) {
        const ids = idsOf(matcher.mask());
        for (const id of ids.slice(0, 40)) {
          const twin = matcher.clone();
          twin.accept(id);
          assert(twin.mustEnd || idsOf(twin.mask()).length > 0, 'goes on');
          let steps = 0;
          for (; !twin.done; steps++) {
            const before = twin.distance;
            const nearer = idsOf(twin.mask()).find((next) => {
              const other = twin.clone();
              other.accept(next);
              return other.distance < before;
            });
            assert(nearer !== undefined, 'some token leads nearer to the end');
            twin.accept(/** @type {number} */ (nearer));
          }
        }
        matcher.accept(generator.pick(ids));
      }
    }
  }
});

Deno.test('masks are what accept takes, and end tokens come when the value is complete', async () => {
  const table = await tinyTable('bpe');
  const matcher = constrain(compileSchema({ enum: [1, 12, 'a'] }), table).matcher();
  assert(!matcher.done && !matcher.mustEnd);
  const [one, two] = [...'12'].map((text) => idFor(table, text));
  for (let id = 0; id < table.size; id++) {
    if (allowed(matcher.mask(), id)) matcher.clone().accept(id);
    else await assertFails(() => matcher.accept(id), 'invalid_request');
  }
  matcher.accept(one);
  assert(matcher.done && !matcher.mustEnd);
  assertEquals(idsOf(matcher.mask()), [two, ...table.endIds].sort((a, b) => a - b));
  const ended = matcher.clone();
  ended.accept(table.endIds[0]);
  assert(ended.mustEnd);
  assertEquals(idsOf(ended.mask()), table.endIds);
  matcher.accept(two);
  assert(matcher.done && matcher.mustEnd);
  assertEquals(idsOf(matcher.mask()), table.endIds);
});

Deno.test('a complete value must end when its tokens are used up', () => {
  const table = byteTable();
  const matcher = constrain(compileSchema({ type: 'integer' }), table).matcher({ budget: 2 });
  matcher.accept(49);
  assert(matcher.done && !matcher.mustEnd);
  matcher.accept(50);
  assert(matcher.mustEnd);
  assertEquals(idsOf(matcher.mask()), table.endIds);
});

Deno.test('a budget closes what is open; one that is too small takes the shortest way', () => {
  const table = byteTable(['","']);
  const constraint = constrain(compileSchema({ type: 'array', items: { type: 'string' } }), table);
  for (const budget of [2, 3, 4, 5, 9, 40]) {
    for (let turn = 0; turn < 20; turn++) {
      const ids = draw(constraint.matcher({ budget }), table, (count) => randomInt(count - 1));
      assert(ids.length <= budget);
      assert(Array.isArray(JSON.parse(textOf(table, ids))));
    }
  }
  const needed = constrain(compileSchema({ const: 'abcdef' }), table).matcher({ budget: 3 });
  assertEquals(needed.distance, 8);
  assertEquals(draw(needed, table, () => 0).length, 8);
});

/** @param {import('../../../runtime_js/runtime/grammar/grammar.js').TokenTable} table @param {string} text */
function idFor(table, text) {
  const bytes = `${new TextEncoder().encode(text)}`;
  const id = [...table.ids].find((one) => `${table.pieces[one]}` === bytes);
  assert(id !== undefined);
  return /** @type {number} */ (id);
}
