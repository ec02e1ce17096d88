import { assert } from './assert.js';
import { Pace } from '../../runtime_js/runtime/pace.js';

/**
 * A device whose submits cost `fixed` + units × `each` milliseconds.
 *
 * @param {number} fixed
 * @param {number} each
 * @returns {number[]} units of 30 submits
 */
function run(fixed, each) {
  const pace = new Pace({ start: 1, most: 32, target: 30 });
  const units = [];
  for (let turn = 0; turn < 30; turn += 1) {
    units.push(pace.units);
    pace.report(pace.units, fixed + pace.units * each);
  }
  return units;
}

Deno.test('a fast device gets many units', () => {
  assert(run(0.5, 0.5).at(-1) === 32);
});

Deno.test('a slow answer alone does not make submits small', () => {
  assert(run(100, 0.5).at(-1) === 32);
});

Deno.test('submits stay about as long as wanted', () => {
  for (const each of [3, 7, 12]) {
    const units = run(0.5, each);
    assert(units.every((count) => count * each <= 100), `${each}: ${units}`);
    assert(units.slice(10).every((count) => count * each >= 10), `${each}: ${units}`);
  }
});

Deno.test('a slow device gets one unit at a time, after at most one try of more', () => {
  const units = run(1, 300);
  assert(units.filter((count) => count > 1).length <= 1, `${units}`);
});

Deno.test('it starts small', () => {
  assert(run(0.5, 0.5)[0] === 1);
});
