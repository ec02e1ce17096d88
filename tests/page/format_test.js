import { assertEquals } from '../runtime_js/assert.js';
import {
  countsBytes,
  formatBytes,
  formatLarge,
  formatRate,
  formatSeconds,
  sentence,
} from '../../templates/page/page/format.js';

/** @param {number} bytes @returns {string} with a usual space in place of one that keeps a line */
const plain = (bytes) => formatBytes(bytes).replace(/(?<=\d)\u00a0(?=\w)/, ' ');

Deno.test('bytes have three digits and the unit that keeps them below 1000', () => {
  const cases = { 0: '0 bytes', 999: '999 bytes', 1122304: '1.12 MB', 4.62e9: '4.62 GB' };
  for (const [bytes, text] of Object.entries(cases)) assertEquals(plain(+bytes), text);
  assertEquals([999_499, 999_500].map(plain), ['999 kB', '1 MB']);
  assertEquals(plain(2e16), '20,000 TB');
});

Deno.test('other numbers', () => {
  assertEquals(formatLarge(8_030_261_248), '8.03 billion');
  assertEquals([9.876, 1234.5].map(formatRate), ['9.88 tokens/s', '1,235 tokens/s']);
  assertEquals([0, NaN, Infinity].map(formatRate), Array(3).fill('– tokens/s'));
  assertEquals([0.1234, 12.34, 59.5, 3600, 9000].map(formatSeconds), [
    '0.123 s',
    '12.3 s',
    '1 min',
    '1 h',
    '2.5 h',
  ]);
});

Deno.test('messages become sentences, file names stay', () => {
  assertEquals(sentence("the GPU's limit"), "The GPU's limit.");
  assertEquals(sentence('ended. '), 'Ended.');
  for (const name of ['manifest.json is gone', 'weights/ab.bin is gone']) {
    assertEquals(sentence(name), `${name}.`);
  }
});

Deno.test('limits that count bytes are told from limits that count', () => {
  const bytes = ['maxBufferSize', 'maxStorageBufferBindingSize', 'maxComputeWorkgroupStorageSize'];
  const counts = ['maxStorageBuffersPerShaderStage', 'maxComputeWorkgroupSizeX', 'features'];
  assertEquals([...bytes, ...counts].filter(countsBytes), bytes);
});
