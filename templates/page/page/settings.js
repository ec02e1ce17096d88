/** The settings form. */

import { element } from './elements.js';

/**
 * @typedef {object} Settings
 * @property {number} max_tokens
 * @property {number} temperature
 * @property {number} top_p
 * @property {number | null} seed
 */

/**
 * What the form says, or null after telling which field is wrong. Without a seed the engine draws
 * one and tells it.
 *
 * @param {HTMLFormElement} form
 * @returns {Settings | null}
 */
export function readSettings(form) {
  if (!form.checkValidity()) {
    form.querySelector('details')?.setAttribute('open', '');
    form.reportValidity();
    return null;
  }
  const seed = element('seed', HTMLInputElement);
  return {
    max_tokens: element('max-tokens', HTMLInputElement).valueAsNumber,
    temperature: element('temperature', HTMLInputElement).valueAsNumber,
    top_p: element('top-p', HTMLInputElement).valueAsNumber,
    seed: seed.value ? seed.valueAsNumber : null,
  };
}
