/** The state of the page: what is seen, and where the focus goes when its place disappears. */

import { element } from './elements.js';

/**
 * @typedef {'checking' | 'unsupported' | 'unreachable' | 'ready' | 'loading' | 'unloaded' |
 *   'writing' | 'generating' | 'reading' | 'ended'} State
 */

/** @type {Partial<Record<State, string>>} */
const FOCUS = {
  unsupported: 'unsupported-title',
  ready: 'load',
  loading: 'loading-title',
  unloaded: 'prompt',
  writing: 'prompt',
  generating: 'stop',
  reading: 'continue',
  ended: 'again',
};

export class View {
  constructor() {
    /** @type {State} */
    this.state = 'checking';
  }

  /** @param {State} state */
  go(state) {
    const active = document.activeElement;
    this.state = state;
    for (const part of document.querySelectorAll('[data-when]')) {
      if (part instanceof HTMLElement) {
        part.hidden = !(part.dataset.when ?? '').split(' ').includes(state);
      }
    }
    // Screen readers wait for the whole text.
    element('output', HTMLElement).ariaBusy = String(state === 'generating');
    element('generate', HTMLButtonElement).disabled = state !== 'writing';
    const next = FOCUS[state];
    if (next && active?.closest('[hidden]')) element(next, HTMLElement).focus();
  }
}
