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

/**
 * Tokens per second of a device of which two submits are under way at a time, and which tells that
 * one is done when a clock ticks.
 *
 * @param {number} each milliseconds of a token
 * @param {number} tick milliseconds; 0: it tells at once
 */
function speed(each, tick) {
  const pace = new Pace({ start: 1, most: 128, target: 30 });
  /** @type {{ units: number, started: number, told: number }[]} */
  const flights = [];
  let [now, busy, ended, made] = [0, 0, 0, 0];
  for (let turn = 0; turn < 200; turn += 1) {
    while (flights.length < 2) {
      busy = Math.max(busy, now) + pace.units * each;
      const told = tick > 0 ? Math.ceil(busy / tick) * tick : busy;
      flights.push({ units: pace.units, started: now, told });
    }
    const [{ units, started, told }] = flights.splice(0, 1);
    now = Math.max(now, told);
    pace.report(units, now - Math.max(started, ended));
    ended = now;
    made += units;
  }
  return 1000 * made / now;
}

Deno.test('a clock that ticks slowly does not set the speed', () => {
  for (const each of [0.5, 1.2, 2, 5, 10, 25, 60]) {
    const most = Math.min(1000 / each, 2560); // two full submits per tick
    assert(speed(each, 100) > 0.5 * most, `${each}: ${speed(each, 100)} of ${most}`);
    assert(speed(each, 0) > 0.95 * 1000 / each);
  }
});
