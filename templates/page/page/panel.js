/** The panel's figures: how fast the last answer was, what the device is, and the time per layer. */

/** @import { Engine, Profile } from '../mdst.d.ts' */

// @ts-types="../mdst.d.ts"
import { clearCache } from '../mdst.js';
import { create, describe, element } from './elements.js';
import { deviceFacts } from './facts.js';
import { codeOf } from './failure.js';
import { formatMicroseconds, sentence } from './format.js';

export class Panel {
  constructor() {
    this.figures = element('figures', HTMLElement);
    this.stats = element('stats', HTMLElement);
    this.button = element('measure', HTMLButtonElement);
    this.place = element('profile', HTMLElement);
    /** @type {Engine | null} */
    this.engine = null;
    this.button.addEventListener('click', () => this.measure());
    const forget = element('forget', HTMLButtonElement);
    forget.addEventListener('click', async () => {
      await clearCache();
      forget.textContent = 'Deleted';
      forget.disabled = true;
    });
  }

  /** @param {Engine | null} engine null: there is none now */
  take(engine) {
    this.engine = engine;
    this.figures.hidden = engine === null;
    this.place.replaceChildren();
    return this.refresh();
  }

  async refresh() {
    const stats = await this.engine?.stats().catch(() => null); // lost: others tell
    if (stats) describe(this.stats, deviceFacts(stats));
  }

  async measure() {
    if (!this.engine) return;
    this.button.disabled = true;
    this.button.textContent = 'Measuring…';
    try {
      const profile = await this.engine.profile();
      this.place.replaceChildren(...tables(profile));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.place.replaceChildren(create('p', sentence(`${codeOf(error)}: ${message}`)));
    }
    this.button.disabled = false;
    this.button.textContent = 'Measure again';
  }
}

/** @param {Profile} profile @returns {HTMLElement[]} */
function tables({ method, microseconds, layers, kernels }) {
  const how = method === 'timestamps' ? 'by the GPU’s clock' : 'by the clock of this page';
  const line = create('p', `A token takes ${formatMicroseconds(microseconds)}, ${how}.`);
  line.className = 'quiet';
  return [line, table('Layer', layers), table('Step', kernels)];
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
