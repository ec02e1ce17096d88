import assert from 'node:assert/strict';
import { Tokens } from '../../../runtime_js/runtime/text/compact.js';
import { MergeMap } from '../../../runtime_js/runtime/text/merge_map.js';
import { TokenMap } from '../../../runtime_js/runtime/text/token_map.js';

const UTF8 = new TextEncoder();

/** @param {string[]} texts */
function tokens(texts) {
  const offsets = new Uint32Array(texts.length + 1);
  texts.forEach((text, i) => offsets[i + 1] = offsets[i] + UTF8.encode(text).length);
  return new Tokens(UTF8.encode(texts.join('')), offsets);
}

Deno.test('finds every token text and nothing else', () => {
  const texts = Array.from({ length: 5000 }, (_, i) => `é${(i * 7919).toString(36)}`);
  const map = new TokenMap(tokens(texts));
  texts.forEach((text, id) => assert.equal(map.find(UTF8.encode(text)), id));
  for (const text of ['', 'é', 'x', ...texts.map((text) => `${text}.`)]) {
    assert.equal(map.find(UTF8.encode(text)), -1);
  }
});

Deno.test('finds a text inside of others', () => {
  const map = new TokenMap(tokens(['a', 'bc']));
  assert.equal(map.find(UTF8.encode('abcd'), 1, 3), 1);
  assert.equal(map.find(UTF8.encode('abcd'), 1, 2), -1);
});

Deno.test('the last of equal texts counts', () => {
  assert.equal(new TokenMap(tokens(['a', 'b', 'a'])).find(UTF8.encode('a')), 2);
});

Deno.test('no tokens, no merges', () => {
  assert.equal(new TokenMap(tokens([])).find(UTF8.encode('a')), -1);
  const none = new Uint32Array(0);
  assert.equal(new MergeMap({ lefts: none, rights: none, results: none }).rank(0, 0), -1);
});

Deno.test('ranks every pair and no other, the first of equal pairs', () => {
  const n = 300;
  const lefts = Uint32Array.from({ length: n * n }, (_, i) => Math.floor(i / n));
  const rights = Uint32Array.from({ length: n * n }, (_, i) => i % n);
  const results = lefts.map((left, i) => left + rights[i]);
  const map = new MergeMap({ lefts, rights, results });
  for (let i = 0; i < n * n; i++) assert.equal(map.rank(lefts[i], rights[i]), i);
  assert.equal(map.result(n + 2), 3);
  assert.equal(map.rank(0, n), -1);
  assert.equal(map.rank(n, 0), -1);
  const twice = new MergeMap({
    lefts: Uint32Array.of(1, 1, 2, 1),
    rights: Uint32Array.of(2, 2, 1, 2),
    results: Uint32Array.of(3, 4, 5, 6),
  });
  assert.equal(twice.rank(1, 2), 0);
  assert.equal(twice.rank(2, 1), 2);
});
