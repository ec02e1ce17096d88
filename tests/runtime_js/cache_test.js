import { assertEquals } from './assert.js';
import { Cache } from '../../runtime_js/runtime/cache.js';

/** @param {number[]} ids @param {number} touched */
function cacheWith(ids, touched) {
  const cache = new Cache(8, 8);
  cache.writing(0, touched);
  cache.holds(ids);
  return cache;
}

Deno.test('a common beginning is kept, but the last token is computed again', () => {
  const cache = cacheWith([1, 2, 3, 4], 4);
  assertEquals(cache.shared([1, 2, 3, 4, 5]), 4);
  assertEquals(cache.shared([1, 2, 3, 4]), 3);
  assertEquals(cache.shared([1, 2, 9, 4]), 2);
  assertEquals(cache.shared([9]), 0);
});

Deno.test('a position is not returned to when too much was written after it', () => {
  const ids = Array.from({ length: 20 }, (_, i) => i);
  const cache = cacheWith(ids, 20);
  assertEquals(cache.shared([...ids.slice(0, 12), 99]), 12);
  assertEquals(cache.shared([...ids.slice(0, 11), 99]), 0);
});

Deno.test('any position is returned to while nothing was overwritten', () => {
  const ids = Array.from({ length: 16 }, (_, i) => i);
  assertEquals(cacheWith(ids, 16).shared([0, 1, 99]), 2);
  assertEquals(cacheWith(ids, 17).shared([0, 1, 99]), 0);
  assertEquals(cacheWith(ids, 16).returnsTo(16), true);
  assertEquals(cacheWith(ids, 16).returnsTo(17), false);
});

Deno.test('what is being written counts no more as held', () => {
  const cache = cacheWith([1, 2, 3, 4, 5], 5);
  cache.writing(2, 6);
  assertEquals(cache.ids, [1, 2]);
  assertEquals(cache.touched, 6);
  cache.writing(0, 3); // a new text: nothing of the old one is in the way
  assertEquals(cache.touched, 3);
});
