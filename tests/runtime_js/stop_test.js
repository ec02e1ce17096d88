import { assert, assertEquals, randomInt, randomText } from './assert.js';
import { StopFilter } from '../../runtime_js/runtime/stop.js';

/**
 * What must come out: the text up to where the first stop string begins.
 *
 * @param {string} text
 * @param {string[]} stops
 */
function cut(text, stops) {
  for (let end = 1; end <= text.length; end += 1) {
    const found = stops.map((stop) => text.slice(0, end).indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) return text.slice(0, Math.min(...found));
  }
  return text;
}

Deno.test('a text ends where a stop string is complete first', () => {
  for (let turn = 0; turn < 2000; turn += 1) {
    const text = randomText('ab', 30);
    const stops = Array.from({ length: randomInt(3) }, () => randomText('ab', 4) || 'a');
    const filter = new StopFilter(stops);
    let shown = '';
    for (const character of text) {
      shown += filter.push(character);
      assert(cut(text, stops).startsWith(shown), `${text} / ${stops} showed ${shown}`);
    }
    if (!filter.stopped) shown += filter.flush();
    assertEquals(shown, cut(text, stops), `${text} / ${stops}`);
  }
});

Deno.test('nothing is held back that cannot become a stop string', () => {
  const filter = new StopFilter(['END']);
  assertEquals(filter.push('the E'), 'the ');
  assertEquals(filter.push('N'), '');
  assertEquals(filter.push('T'), 'ENT');
  assertEquals(filter.push('xENDx'), 'x');
  assert(filter.stopped);
  assertEquals(filter.flush(), '');
});
