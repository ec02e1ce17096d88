/** The time that a token takes, per layer and per step, as tables: loaded when it is measured. */

/** @import { Profile } from '../mdst.d.ts' */

import { create } from './elements.js';
import { formatMicroseconds } from './format.js';

/** @param {Profile} profile @returns {HTMLElement[]} */
export function tables({ method, microseconds, layers, kernels }) {
  const how = method === 'timestamps' ? 'by the GPU’s clock' : 'by the clock of this page';
  const line = create('p', `A token takes ${formatMicroseconds(microseconds)}, ${how}.`);
  line.className = 'quiet';
  const step = table('Step', kernels);
  return layers.length > 0 ? [line, table('Layer', layers), step] : [line, step];
}

/**
 * @param {string} title
 * @param {Profile['layers']} rows
 */
function table(title, rows) {
  const most = Math.max(...rows.map(({ microseconds }) => microseconds));
  const body = create('tbody');
  body.append(...rows.map(({ label, microseconds }) => {
    const row = create('tr');
    const name = create('th', label);
    name.scope = 'row';
    const bar = create('progress');
    bar.max = most || 1;
    bar.value = microseconds;
    bar.ariaHidden = 'true'; // the number stands beside it
    const place = create('td');
    place.append(bar);
    row.append(name, place, create('td', formatMicroseconds(microseconds)));
    return row;
  }));
  const made = create('table');
  made.className = 'times';
  made.append(create('caption', title), body);
  return made;
}
