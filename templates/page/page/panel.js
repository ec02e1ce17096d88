/** The panel's figures: how fast the last answer was, what the device is, and the time per layer. */

/** @import { Engine } from '../mdst.d.ts' */

// @ts-types="../mdst.d.ts"
import { clearCache } from '../mdst.js';
import { create, describe, element } from './elements.js';
import { deviceFacts } from './facts.js';
import { codeOf } from './failure.js';
import { sentence } from './format.js';

export class Panel {
  constructor() {
    this.figures = element('figures', HTMLElement);
    this.stats = element('stats', HTMLElement);
    this.button = element('measure', HTMLButtonElement);
    this.place = element('profile', HTMLElement);
    /** @type {Engine | null} */
    this.engine = null;
    this.button.addEventListener('click', () => this.measure());
    this.forget = element('forget', HTMLButtonElement);
    this.forget.addEventListener('click', async () => {
      this.forget.disabled = true;
      this.forget.textContent = await clearCache().then(() => 'Deleted', () => 'Still in use');
    });
  }

  /** @param {Engine | null} engine null: there is none now */
  take(engine) {
    this.engine = engine;
    this.figures.hidden = engine === null;
    this.forget.disabled = false; // a load has kept it again
    this.forget.textContent = 'Delete the download';
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
      const { tables } = await import('./times.js');
      this.place.replaceChildren(...tables(await this.engine.profile()));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.place.replaceChildren(create('p', sentence(`${codeOf(error)}: ${message}`)));
    }
    this.button.disabled = false;
    this.button.textContent = 'Measure again';
  }
}
