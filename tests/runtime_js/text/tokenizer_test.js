import assert from 'node:assert/strict';
import { openTokenizer, StreamDecoder } from '../../../runtime_js/runtime/text/tokenizer.js';
import { Pretokenizer } from '../../../runtime_js/runtime/text/pretokenize.js';
import { NAMES, readVectors, vocabularyFile } from './vectors.js';

const INVALID = { name: 'MdstError', code: 'invalid_request' };

/** @type {Record<string, import('../../../runtime_js/runtime/text/tokenizer.js').Tokenizer>} */
const tokenizers = Object.fromEntries(
  await Promise.all(
    NAMES.map(async (name) => [name, await openTokenizer(vocabularyFile(name))]),
  ),
);

/** @param {import('./vectors.js').Name} name */
function tokenizerOf(name) {
  return tokenizers[name];
}

for (const name of NAMES) {
  const vectors = readVectors(name);
  const tokenizer = tokenizerOf(name);

  Deno.test(`${name}: encodes as the Python twin`, () => {
    for (const { text, add_special, parse_special, ids } of vectors.encoded) {
      const options = { addSpecial: add_special, parseSpecial: parse_special };
      assert.deepEqual(tokenizer.encode(text, options), ids, JSON.stringify(text));
    }
  });

  Deno.test(`${name}: decodes as the Python twin`, () => {
    for (const { ids, special, whole, bytes } of vectors.decoded) {
      const hex = [...tokenizer.decode(ids, { special, whole })]
        .map((byte) => byte.toString(16).padStart(2, '0'));
      assert.equal(hex.join(''), bytes);
    }
  });

  Deno.test(`${name}: streams as the Python twin`, () => {
    for (const { ids, parts } of vectors.streamed) {
      const decoder = new StreamDecoder(tokenizer);
      assert.deepEqual([...ids.map((id) => decoder.push(id)), decoder.flush()], parts);
    }
  });

  Deno.test(`${name}: a million letters without a space do not hang`, () => {
    const start = performance.now();
    const ids = tokenizer.encode('a'.repeat(1_000_000));
    // One unknown word to WordPiece, one token or a pair for each or two letters to the others.
    const [least, most] = name === 'wordpiece' ? [1, 1] : [500_000, 1_000_001];
    assert.ok(ids.length >= least && ids.length <= most, `${ids.length}`);
    assert.ok(performance.now() - start < 10_000);
  });

  Deno.test(`${name}: refuses ids that no token has`, () => {
    const { length } = tokenizer.vocabulary.tokens;
    for (const id of [-1, length, 1.5, NaN, /** @type {any} */ ('1')]) {
      assert.throws(() => tokenizer.decode([id]), INVALID);
      assert.throws(() => tokenizer.tokenBytes(id), INVALID);
    }
  });

  Deno.test(`${name}: the bytes of tokens are what decoding joins`, () => {
    const ids = Array.from(tokenizer.vocabulary.types, (_, id) => id);
    for (const special of [false, true]) {
      const bytes = ids.flatMap((id) => [...tokenizer.tokenBytes(id, special)]);
      assert.deepEqual(bytes, [...tokenizer.decode(ids, { special })]);
    }
  });
}

Deno.test('BOS and EOS only on request', () => {
  const spm = tokenizerOf('spm');
  assert.deepEqual(spm.encode('a'), [265]);
  assert.deepEqual(spm.encode('a', { addSpecial: true }), [1, 265, 2]);
});

Deno.test('what a user types cannot end a turn', () => {
  const bpe = tokenizerOf('bpe');
  assert.ok(!bpe.encode('<|eot_id|>').includes(264));
  assert.deepEqual(bpe.encode('<|eot_id|>', { parseSpecial: true }), [264]);
});

Deno.test('the longest special token wins', () => {
  assert.deepEqual(tokenizerOf('bpe').encode('<tool>x<tool>'), [266, 265]);
});

Deno.test('a lone surrogate reads as U+FFFD', () => {
  const bpe = tokenizerOf('bpe');
  assert.deepEqual(bpe.encode('a\ud83db'), bpe.encode('a\ufffdb'));
});

Deno.test('special tokens show on request', () => {
  const bpe = tokenizerOf('bpe');
  assert.equal(bpe.decodeText([258, 264, 265]), ' the<tool>');
  assert.equal(bpe.decodeText([258, 264, 265], { special: true }), ' the<|eot_id|><tool>');
  assert.equal(new StreamDecoder(bpe, { special: true }).push(264), '<|eot_id|>');
  assert.equal(new StreamDecoder(bpe).push(264), '');
});

Deno.test('a byte order mark is text', () => {
  const bpe = tokenizerOf('bpe');
  const ids = bpe.encode('\ufeffa');
  assert.equal(bpe.decodeText(ids), '\ufeffa');
  const decoder = new StreamDecoder(bpe);
  assert.equal(ids.map((id) => decoder.push(id)).join('') + decoder.flush(), '\ufeffa');
});

Deno.test('a stream waits for whole characters and begins anew after flush', () => {
  const decoder = new StreamDecoder(tokenizerOf('bpe'));
  const parts = [...new TextEncoder().encode('a😀é')].map((byte) => decoder.push(byte));
  assert.deepEqual(parts, ['a', '', '', '', '😀', '', 'é']);
  assert.deepEqual([decoder.push(0xf0), decoder.flush(), decoder.push(97)], ['', '\ufffd', 'a']);
});

Deno.test('a pattern sees nothing outside its piece', () => {
  const lookahead = new Pretokenizer(['b', 'a(?!b)']);
  assert.deepEqual(lookahead.split('abaab'), ['a', 'b', 'a', 'a', 'b']);
  assert.deepEqual(new Pretokenizer([]).split('ab'), ['ab']);
  assert.deepEqual(new Pretokenizer(['x*']).split('axxb'), ['a', 'xx', 'b']);
  assert.throws(() => new Pretokenizer(['(']), { name: 'MdstError', code: 'format' });
});
