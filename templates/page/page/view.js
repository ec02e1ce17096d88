/** The state of the page: what is seen, and where the focus goes when its place disappears. */

import { element } from './elements.js';

/**
 * A model with a chat template is talked with; any other continues texts.
 *
 * @typedef {'chat' | 'story'} Mode
 * @typedef {'checking' | 'unsupported' | 'unreachable' | 'ready' | 'loading' | 'unloaded' |
 *   'chatting' | 'writing' | 'generating' | 'reading' | 'ended'} State
 */

/** @type {Partial<Record<State, string>>} */
const FOCUS = {
  unsupported: 'unsupported-title',
  ready: 'load',
  loading: 'loading-title',
  unloaded: 'prompt',
  writing: 'prompt',
  reading: 'continue',
  ended: 'again',
  chatting: 'ask',
};

export class View {
  constructor() {
    /** @type {State} */
    this.state = 'checking';
    /** @type {Mode | null} null before the model is known */
    this.mode = null;
  }

  /** @param {State} state */
  go(state) {
    const active = document.activeElement;
    this.state = state;
    /** @type {NodeListOf<HTMLElement>} */
    const parts = document.querySelectorAll('[data-when], [data-mode]');
    for (const part of parts) {
      const { when, mode } = part.dataset;
      part.hidden = (mode !== undefined && mode !== this.mode) ||
        (when !== undefined && !when.split(' ').includes(state));
    }
    /** @type {NodeListOf<HTMLButtonElement>} */
    const buttons = document.querySelectorAll('button[data-enabled]');
    for (const button of buttons) button.disabled = button.dataset.enabled !== state;
    const next = this.focus();
    if (next && active?.closest('[hidden]')) element(next, HTMLElement).focus();
  }

  /** @returns {string | undefined} the id of what gets the focus that has lost its place */
  focus() {
    if (this.state === 'generating') return this.mode === 'chat' ? 'ask' : 'stop-story';
    if (this.state === 'unloaded' && this.mode === 'chat') return 'ask';
    return FOCUS[this.state];
  }
}
