import assert from 'node:assert/strict';
import { Heap } from '../../../runtime_js/runtime/text/heap.js';

Deno.test('gives the cheapest first, of equal costs the leftmost', () => {
  for (let round = 0; round < 100; round++) {
    const heap = new Heap();
    /** @type {[number, number][]} */
    const held = [];
    /** @type {[number, number][]} */
    const given = [];
    /** @type {[number, number][]} */
    const expected = [];
    for (let step = 0; step < 200; step++) {
      if (held.length > 0 && Math.random() < 0.4) {
        held.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expected.push(/** @type {[number, number]} */ (held.shift()));
        given.push([heap.cost, heap.pop()]);
      } else {
        /** @type {[number, number]} */
        const entry = [Math.floor(Math.random() * 9) - 4.5, Math.floor(Math.random() * 50)];
        held.push(entry);
        heap.push(...entry);
      }
      assert.equal(heap.size, held.length);
    }
    assert.deepEqual(given, expected);
  }
});
