/** The place where errors are told, with a button to try again where that may help. */

// @ts-types="../mdst.d.ts"
import { MdstError } from '../mdst.js';
import { explain } from './advice.js';
import { element } from './elements.js';

/** @import { ErrorCode } from '../mdst.d.ts' */

/**
 * @param {unknown} error
 * @returns {ErrorCode | 'unknown'}
 */
export function codeOf(error) {
  return error instanceof MdstError ? error.code : 'unknown';
}

export class Failure {
  constructor() {
    this.place = element('failure', HTMLElement);
    this.text = element('failure-text', HTMLElement);
    this.button = element('retry', HTMLButtonElement);
    this.retry = () => {};
    this.button.addEventListener('click', () => {
      this.hide();
      this.retry();
    });
  }

  /**
   * @param {unknown} error
   * @param {() => void} retry
   */
  show(error, retry) {
    const message = error instanceof Error ? error.message : String(error);
    const { text, again } = explain(codeOf(error), message);
    this.place.hidden = false;
    this.text.textContent = text;
    this.button.hidden = !again;
    this.retry = retry;
  }

  hide() {
    this.place.hidden = true;
    this.text.textContent = '';
  }
}
