/** Why this device cannot run the model, and what somebody can do: loaded only where it cannot. */

/** @import { Problem } from '../mdst.d.ts' */

import { create, element } from './elements.js';
import { countsBytes, formatBytes, sentence } from './format.js';

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

/** @param {Problem[]} problems @param {Browser} browser */
export function showProblems(problems, browser) {
  element('problems', HTMLElement).replaceChildren(...problems.map(problemItem));
  element('advice', HTMLElement).replaceChildren(
    ...adviceFor(browser).map((step) => create('li', step)),
  );
}

/** @param {Problem} problem */
function problemItem({ what, needed, found, message }) {
  const item = create('li', sentence(message));
  if (countsBytes(what)) {
    const [need, have] = [needed, found].map((value) => formatBytes(Number(value)));
    const line = create('p', `${need} needed, ${have} found`);
    line.className = 'quiet';
    item.append(line);
  }
  return item;
}
