/** What somebody can do whose device cannot run the model, or whose attempt failed. */

/** @import { ErrorCode } from '../mdst.d.ts' */

import { sentence } from './format.js';

/**
 * @typedef {object} Browser
 * @property {boolean} secure whether the page came over https or from this machine
 * @property {boolean} webgpu whether scripts are offered WebGPU
 * @property {boolean} gpu whether WebGPU found a GPU
 */

/**
 * Next steps, the likeliest to help first. The first thing that is missing hides the rest: without
 * WebGPU nothing is known of the GPU.
 *
 * @param {Browser} browser
 * @returns {string[]}
 */
export function adviceFor(browser) {
  if (!browser.secure) {
    return ['Open this page over https:// or on localhost: browsers offer WebGPU nowhere else.'];
  }
  if (!browser.webgpu) {
    return [
      'Use a browser with WebGPU: a current Chrome or Edge, Safari 26, or Firefox on Windows or on a Mac with Apple silicon.',
      'Where the browser is current: turn on graphics acceleration in its settings and start it again.',
    ];
  }
  if (!browser.gpu) {
    return [
      'Turn on graphics acceleration in the settings of the browser and start it again.',
      'Update the driver of the graphics card. On Linux, try Chrome with --enable-unsafe-webgpu and --enable-features=Vulkan.',
    ];
  }
  return [
    'Try another browser on this device, or a device with a stronger GPU.',
    'Whoever compiled the model can make it need less: a shorter context, or a smaller quantisation.',
  ];
}

/** @type {ReadonlySet<string>} */
const LOST = new Set(
  /** @type {ErrorCode[]} */ (['device_lost', 'out_of_memory', 'unloaded']),
);

/** @type {ReadonlySet<string>} */
const HOPELESS = new Set(
  /** @type {ErrorCode[]} */ (['context_length_exceeded', 'invalid_request']),
);

/**
 * Whether an error of this code leaves an engine that can still be used.
 *
 * @param {string} code
 * @returns {boolean}
 */
export function engineSurvives(code) {
  return !LOST.has(code);
}

/**
 * What to say of an error and whether the same again may work.
 *
 * @param {string} code
 * @param {string} message
 * @returns {{ text: string, again: boolean }}
 */
export function explain(code, message) {
  const text = [sentence(message), NEXT[code]].filter(Boolean).join(' ');
  return { text, again: !HOPELESS.has(code) };
}

/** @type {Record<string, string>} */
const NEXT = {
  download_failed: 'Check the connection, then try again.',
  integrity: 'The server may be in the middle of an update; try again in a minute.',
  format: 'Reload the page; if that does not help, the model must be compiled again.',
  context_length_exceeded: 'Shorten the text.',
  invalid_request: 'Change the text or the settings.',
  device_lost: 'The text is kept; the model must be loaded again.',
  out_of_memory: 'Close other tabs and programs that use the GPU, then load the model again.',
  unloaded: 'The text is kept; the model must be loaded again.',
};
