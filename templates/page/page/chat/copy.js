/** The clipboard. */

/**
 * @param {string} text
 * @returns {Promise<string>} what to say of it
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return 'Copied';
  } catch {
    return 'This browser did not allow copying';
  }
}
