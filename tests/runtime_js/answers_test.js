import { assert, assertEquals } from './assert.js';
import { compare, contentOf } from '../../runtime_js/runtime/answers.js';
import { randomWords } from '../../runtime_js/runtime/philox.js';

Deno.test('philox gives the words of the compiler', () => {
  // random_words(seed, 5) of compiler/mdst/philox.py
  assertEquals([...randomWords(0, 5)], [
    1713891541,
    3781805453,
    3159862348,
    2600524760,
    4175744164,
  ]);
  assertEquals([...randomWords(4294967295, 5)], [
    4127959009,
    4211857312,
    3339500845,
    2108504476,
    2278064444,
  ]);
});

Deno.test('a fill keeps and adds bits in a pattern of four', () => {
  const kind = { keep: [0xff, 0, 0xffffffff, 0xf0], add: [0x100, 7, 0, 1] };
  const words = randomWords(3, 6);
  assertEquals([...contentOf({ offset: 0, words: 6, seed: 3, kind })], [
    (words[0] & 0xff) | 0x100,
    7,
    words[2],
    (words[3] & 0xf0) | 1,
    (words[4] & 0xff) | 0x100,
    7,
  ]);
});

/** @param {number[]} floats @param {number[]} words */
function answer(floats, words) {
  return new Uint32Array([...new Uint32Array(new Float32Array(floats).buffer), ...words]).buffer;
}

Deno.test('answers are right within the tolerance, words exactly', () => {
  /** @type {import('../../runtime_js/runtime/answers.js').Case} */
  const each = {
    sizes: {},
    inputs: {},
    grid: [1, 1, 1],
    expected: [
      { binding: 'out', offset: 0, floats: [3, 4], words: [] },
      { binding: 'ids', offset: 8, floats: [], words: [7, 2 ** 32 - 1] },
    ],
    tolerance: 1e-4,
  };
  assertEquals(compare(each, answer([3.01, 4], [7, 2 ** 32 - 1])), null);
  assert(compare(each, answer([3.1, 4], [7, 2 ** 32 - 1]))?.includes('squared error'));
  assert(compare(each, answer([NaN, 4], [7, 2 ** 32 - 1]))?.includes('squared error'));
  assert(compare(each, answer([3, 4], [7, 2 ** 32 - 2]))?.includes('ids'));
});
