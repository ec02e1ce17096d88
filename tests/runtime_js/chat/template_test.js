import { assertEquals } from '../assert.js';
import { chatIds } from '../../../runtime_js/runtime/chat/template.js';

/** @param {number | null} bos @param {boolean} add_bos */
const ids = (bos, add_bos, text = 'ab') =>
  chatIds(
    text,
    /** @type {any} */ ({
      vocabulary: { bos, add_bos },
      encode: (/** @type {string} */ each, /** @type {any} */ { addSpecial, parseSpecial }) => {
        assertEquals([addSpecial, parseSpecial], [undefined, true]);
        return [...each].map((letter) => letter.charCodeAt(0));
      },
    }),
  );

Deno.test('BOS comes once, where the vocabulary asks for it', () => {
  assertEquals(ids(1, true), [1, 97, 98]);
  assertEquals(ids(97, true), [97, 98]);
  assertEquals(ids(1, false), [97, 98]);
  assertEquals(ids(null, true), [97, 98]);
  assertEquals(ids(1, true, ''), [1]);
});
