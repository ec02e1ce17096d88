/** What the manifest says of the model. */

/**
 * @typedef {object} Model
 * @property {string} name untrusted text
 * @property {string} architecture
 * @property {number} parameters
 */

/**
 * Reads the manifest beside the page, of which `canRun` has checked that it is there and valid.
 *
 * @returns {Promise<Model>}
 */
export async function readModel() {
  const response = await fetch(new URL('../manifest.json', import.meta.url));
  return (await response.json()).model;
}
