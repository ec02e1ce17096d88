import assert from 'node:assert/strict';
import { expandVocabulary } from '../../../runtime_js/runtime/text/compact.js';
import { vocabularyFile } from './vectors.js';

const FORMAT = { name: 'MdstError', code: 'format' };

Deno.test('reads byte-level BPE', () => {
  const vocabulary = expandVocabulary(vocabularyFile('bpe'));
  const { model, pre, tokens, scores, types, merges, patterns } = vocabulary;
  assert.deepEqual([model, pre, scores, tokens.length, patterns.length], [
    'gpt2',
    'gpt-2',
    null,
    267,
    1,
  ]);
  assert.equal(new TextDecoder().decode(tokens.at(264)), '<|eot_id|>');
  assert.deepEqual([...types.slice(262)], [1, 1, 3, 4, 4]);
  assert.deepEqual([merges.lefts[2], merges.rights[2], merges.results[2]], [256, 257, 258]);
  const { bos, eos, eot, eom, unk, pad, end_ids, rstrip_ids, chat_template } = vocabulary;
  assert.deepEqual([bos, eos, eot, eom, unk, pad], [264, 264, 264, null, null, null]);
  assert.deepEqual([end_ids, rstrip_ids, chat_template], [[264], [], "{{ 'ü' }}"]);
  const { add_bos, add_eos, add_space_prefix, whole_words, byte_level } = vocabulary;
  assert.deepEqual([add_bos, add_eos, add_space_prefix, whole_words], [true, false, false, true]);
  assert.deepEqual([byte_level, vocabulary.sep, vocabulary.charsmap.length], [true, null, 0]);
});

Deno.test('reads SentencePiece', () => {
  const vocabulary = expandVocabulary(vocabularyFile('spm'));
  assert.equal(vocabulary.model, 'llama');
  assert.deepEqual([...vocabulary.scores?.slice(263, 265) ?? []], [-1, -0.5]);
  assert.equal(vocabulary.merges.lefts.length, 0);
  assert.deepEqual([vocabulary.end_ids, vocabulary.rstrip_ids], [[2, 268], [268]]);
  const { add_bos, add_eos, add_space_prefix, whole_words, chat_template } = vocabulary;
  assert.deepEqual([add_bos, add_eos, add_space_prefix, whole_words], [true, true, true, false]);
  assert.equal(chat_template, null);
});

Deno.test('reads what the other kinds need', () => {
  const characters = expandVocabulary(vocabularyFile('characters'));
  const { byte_level, whole_line_feeds, add_bos, patterns } = characters;
  assert.deepEqual([byte_level, whole_line_feeds, add_bos], [false, true, true]);
  assert.deepEqual(patterns, ['[^\\n]+|\\n+']);
  const { sep, lowercase, strip_accents } = expandVocabulary(vocabularyFile('wordpiece'));
  assert.deepEqual([sep, lowercase, strip_accents], [3, true, true]);
  const unigram = expandVocabulary(vocabularyFile('unigram'));
  assert.equal(unigram.charsmap.length, 1085);
  assert.deepEqual([unigram.add_space_prefix, unigram.merge_spaces], [true, false]);
});

Deno.test('refuses every cut, and bytes too many', () => {
  const file = vocabularyFile('bpe');
  for (let length = 0; length < file.byteLength; length++) {
    assert.throws(() => expandVocabulary(file.slice(0, length)), FORMAT);
  }
  const longer = new Uint8Array(file.byteLength + 1);
  longer.set(new Uint8Array(file));
  assert.throws(() => expandVocabulary(longer.buffer), FORMAT);
});

Deno.test('refuses a wrong field', () => {
  /** @type {[number, number][]} */
  const fields = [
    [0, 0x5754444d], // magic
    [4, 1], // version
    [8, 6], // model
    [12, 2048], // flags
    [16, 267], // bos
    [16, -2],
    [44, 0xffffffff], // number of tokens
    [68, 1], // bytes of tokens
    [84, 267], // the first merge
  ];
  for (const [offset, value] of fields) {
    const file = vocabularyFile('bpe');
    new DataView(file).setInt32(offset, value, true);
    assert.throws(() => expandVocabulary(file), FORMAT, `${offset} ${value}`);
  }
});

Deno.test('refuses text that is not UTF-8, types unknown and tokens without text', () => {
  const types = 84 + 4 * (3 * 7 + 1 + 1) + 2 * 267;
  for (const [offset, value] of [[-1, 0xff], [types, 0], [types, 7]]) {
    const file = new Uint8Array(vocabularyFile('bpe'));
    file[(offset + file.length) % file.length] = value;
    assert.throws(() => expandVocabulary(file.buffer), FORMAT);
  }
  // The first two lengths are 2 and 2: their sum stays.
  const file = vocabularyFile('bpe');
  const lengths = new Uint16Array(file, types - 2 * 267, 2);
  assert.deepEqual([...lengths], [2, 2]);
  lengths.set([0, 4]);
  assert.throws(() => expandVocabulary(file), { ...FORMAT, message: /without text/ });
});
