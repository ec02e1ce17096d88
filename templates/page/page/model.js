/** What the manifest says of the model. */

import { inertLine } from './inert.js';

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} architecture
 * @property {number} parameters
 * @property {boolean} chats whether it has a chat template
 */

/**
 * Reads the manifest beside the page, of which `canRun` has checked that it is there and valid.
 *
 * @returns {Promise<Model>}
 */
export async function readModel() {
  const response = await fetch('manifest.json');
  const { model, files } = await response.json();
  return {
    name: inertLine(model.name) || 'Language model',
    architecture: inertLine(model.architecture),
    parameters: model.parameters,
    chats: files.some((/** @type {{ name: string }} */ { name }) => name === CHAT_TEMPLATE),
  };
}

const CHAT_TEMPLATE = 'chat_template.json';
