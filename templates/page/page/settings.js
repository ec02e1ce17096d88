/** The settings form: kept in this browser, read for each request. */

import { element } from './elements.js';
import { keep, recall } from './stored.js';

/**
 * @typedef {object} Settings
 * @property {number | null} max_tokens
 * @property {number} temperature
 * @property {number} top_p
 * @property {number | null} top_k
 * @property {number} min_p
 * @property {number} repetition_penalty
 * @property {number | null} seed
 */

/** @returns {HTMLFormElement} filled with what was kept */
export function openSettings() {
  const form = element('settings', HTMLFormElement);
  const kept = recall('settings') ?? {};
  for (const field of fieldsOf(form)) {
    if (typeof kept[field.name] === 'string') field.value = kept[field.name];
  }
  const changed = () => {
    keep('settings', Object.fromEntries(fieldsOf(form).map(({ name, value }) => [name, value])));
    applyTheme(form);
  };
  form.addEventListener('input', changed);
  form.addEventListener('reset', () => setTimeout(changed)); // after the fields have changed
  form.addEventListener('submit', (event) => event.preventDefault());
  applyTheme(form);
  return form;
}

/** @param {HTMLFormElement} form */
function fieldsOf(form) {
  return [...form.elements].filter((field) =>
    field instanceof HTMLInputElement || field instanceof HTMLSelectElement ||
    field instanceof HTMLTextAreaElement
  );
}

/** @param {HTMLFormElement} form */
function applyTheme(form) {
  document.documentElement.dataset.theme = String(new FormData(form).get('theme'));
}

/**
 * What the form says, or null after telling which field is wrong. Without a seed the engine draws
 * one and tells it.
 *
 * @param {HTMLFormElement} form
 * @returns {Settings | null}
 */
export function readSettings(form) {
  if (!form.checkValidity()) {
    element('panel', HTMLElement).showPopover();
    form.reportValidity();
    return null;
  }
  const data = new FormData(form);
  /** @param {string} name */
  const number = (name) => Number(data.get(name));
  /** @param {string} name */
  const optional = (name) => data.get(name) ? number(name) : null;
  return {
    max_tokens: optional('max_tokens'),
    temperature: number('temperature'),
    top_p: number('top_p'),
    top_k: optional('top_k'),
    min_p: number('min_p'),
    repetition_penalty: number('repetition_penalty'),
    seed: optional('seed'),
  };
}

/** @param {HTMLFormElement} form @returns {string} */
export function systemPrompt(form) {
  return String(new FormData(form).get('system')).trim();
}
