import {
  compileSchema,
  constrain,
  TokenTable,
} from '../../../runtime_js/runtime/grammar/grammar.js';
import { assert, assertEquals, assertFails, randomInt } from '../assert.js';
import { accepts, allowed, byteTable, idsOf } from './tables.js';

const UTF8 = new TextEncoder();

Deno.test('the trie holds every token once, equal ones too', () => {
  const pieces = Array.from(
    { length: 3000 },
    () => Uint8Array.from({ length: randomInt(5) }, () => 97 + randomInt(3)),
  );
  const table = new TokenTable(pieces.length, pieces, [7]);
  const wanted = pieces.flatMap((piece, id) => piece.length > 0 && id !== 7 ? [id] : []);
  assertEquals([...table.ids].sort((a, b) => a - b), wanted);
  /** @type {number[]} */
  const path = [];
  for (let node = 0; node < table.bytes.length; node++) {
    path.splice(table.depths[node], path.length, table.bytes[node]);
    for (const id of table.ids.subarray(table.first[node], table.first[node + 1])) {
      assertEquals([...pieces[id]], path);
    }
  }
});

Deno.test('costs are the fewest tokens that write a text', () => {
  const table = byteTable(['ab', 'abc', 'cd', 'bcde']);
  assertEquals([...table.costs(UTF8.encode('abcde'))], [2, 1, 2, 2, 1, 0]);
  const poor = new TokenTable(2, [UTF8.encode('ab'), UTF8.encode('c')], []);
  assertEquals([...poor.costs(UTF8.encode('abc'))].map(String), ['2', 'Infinity', '1', '0']);
});

Deno.test('masks are those of reading each token alone', () => {
  const pieces = byteTable().pieces.slice(0, 256);
  const parts = ['"', '{', '}', ':', ',', 'a', 'b', '1', ' ', '\n', '\\', 'u00', 'é'];
  while (pieces.length < 2000) {
    const text = Array.from({ length: 1 + randomInt(5) }, () => parts[randomInt(parts.length - 1)]);
    pieces.push(UTF8.encode(text.join('')));
  }
  const table = new TokenTable(2100, pieces, [2050]);
  const schema = { properties: { a: { type: 'string', maxLength: 3 }, b: { type: 'integer' } } };
  const constraint = constrain(compileSchema(schema), table);
  const matcher = constraint.matcher();
  for (let step = 0; step < 12 && !matcher.mustEnd; step++) {
    const mask = matcher.mask();
    for (let id = 0; id < 2100; id++) {
      let fits = id === 2050 && matcher.done;
      try {
        if (id !== 2050) matcher.clone().accept(id);
        fits ||= id !== 2050;
      } catch {
        // does not fit
      }
      assertEquals(allowed(mask, id), fits, `token ${id}`);
    }
    const ids = idsOf(mask).filter((id) => id !== 2050);
    matcher.accept(ids[randomInt(ids.length - 1)]);
  }
});

Deno.test('a vocabulary that cannot write what fits is refused', async () => {
  const table = new TokenTable(2, [UTF8.encode('ab'), UTF8.encode('"')], []);
  const grammar = compileSchema({ anyOf: [{ const: 'ab' }, { const: 'c' }] });
  const matcher = constrain(grammar, table).matcher();
  matcher.accept(1);
  assertEquals(idsOf(matcher.mask()), [0]);
  await assertFails(() => constrain(compileSchema({ const: 'c' }), table), 'invalid_request');
});

Deno.test('schemas that can be read in many ways do not hang', async () => {
  const tree = { type: 'array', items: { $ref: '#' } };
  const ambiguous = {
    anyOf: Array.from({ length: 8 }, (_, i) => ({ ...tree, maxItems: 20 + i })),
  };
  const wide = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`p${i}`, {}]));
  for (
    const [schema, text] of [[ambiguous, '['.repeat(3)], [{ properties: wide }, '{"p1499":1}']]
  ) {
    const started = performance.now();
    accepts(compileSchema(schema), /** @type {string} */ (text));
    assert(performance.now() - started < 3000, 'soon');
  }
  const started = performance.now();
  const matcher = constrain(compileSchema(ambiguous), byteTable()).matcher();
  const deeper = () => {
    for (let depth = 0; depth < 50; depth++) {
      matcher.mask();
      matcher.accept(91);
    }
  };
  await assertFails(deeper, 'invalid_request');
  assert(performance.now() - started < 3000, 'soon');
});

Deno.test('states are forgotten, not the place in the text', () => {
  const table = byteTable();
  const constraint = constrain(compileSchema({ type: 'string', maxLength: 12_000 }), table);
  const matcher = constraint.matcher();
  matcher.accept(34);
  for (let i = 0; i < 12_000; i++) matcher.accept(97);
  assertEquals(idsOf(matcher.mask()), [34]);
  assert(constraint.automaton.size <= 8193, `${constraint.automaton.size} states`);
  const other = constraint.matcher();
  for (const id of [34, 97, 34]) other.accept(id);
  assert(other.mustEnd);
});
