/** The settings form. */

import { element } from './elements.js'

/**
 * @typedef {object} Settings
 * @property {number} max_tokens
 * @property {number} temperature
 * @property {number} top_p
 * @property {number} seed
 */

/**
 * What the form says, or null after telling which field is wrong. Where no seed is given one is
 * drawn, so that it can be shown.
 *
 * @param {HTMLFormElement} form
 * @returns {Settings | null}
 */
export function readSettings(form) {
  if (!form.checkValidity()) {
    form.querySelector('details')?.setAttribute('open', '')
    form.reportValidity()
    return null
  }
  const seed = element('seed', HTMLInputElement)
  return {
    max_tokens: element('max-tokens', HTMLInputElement).valueAsNumber,
    temperature: element('temperature', HTMLInputElement).valueAsNumber,
    top_p: element('top-p', HTMLInputElement).valueAsNumber,
    seed: seed.value ? seed.valueAsNumber : crypto.getRandomValues(new Uint32Array(1))[0],
  }
}
