/**
 * Known answers: every kernel is run on small given inputs before the device is trusted. A driver
 * that computes wrongly is found here, not in the text.
 *
 * @import { Device } from './device.js'
 * @import { Kernel } from './pipelines.js'
 */

import { MdstError } from './errors.js';
import { randomWords } from './philox.js';

/**
 * What answers.json holds per kernel; offsets and sizes are bytes. `sizes` has the kernel's bindings
 * in order, buffers start as zeros. A fill's word i is `random & keep[i % 4] | add[i % 4]`.
 *
 * @typedef {{ offset: number, words: number, seed: number, kind: { keep: number[], add: number[] } }} Fill
 * @typedef {{ offset: number, values: number[] }} Given
 * @typedef {{ binding: string, offset: number, floats: number[], words: number[] }} Expected
 * @typedef {{
 *   sizes: Record<string, number>,
 *   inputs: Record<string, (Fill | Given)[]>,
 *   grid: number[],
 *   expected: Expected[],
 *   tolerance: number,
 * }} Case
 */

/**
 * Runs a kernel's cases, one after another: buffers have the sizes of the real model.
 *
 * @param {Device} device
 * @param {Kernel} kernel
 * @param {Record<string, Case[]>} answers
 * @param {AbortSignal} signal
 * @throws {MdstError} 'unsupported_device' for the first wrong answer
 */
export async function checkKernel(device, kernel, answers, signal) {
  for (const each of answers[kernel.name] ?? []) {
    if (signal.aborted) return;
    const wrong = await checkCase(device, kernel, each);
    if (wrong === null) continue;
    throw new MdstError(
      'unsupported_device',
      `kernel ${kernel.name} gives a wrong answer on this device: ${wrong}`,
    );
  }
}

/** @param {Device} device @param {Kernel} kernel @param {Case} each */
async function checkCase(device, kernel, each) {
  const names = Object.keys(each.sizes);
  const made = await device.buffers(names.map((name) => ({ name, size: each.sizes[name] })));
  const buffers = new Map(names.map((name, i) => [name, made[i]]));
  const answer = device.readbackBuffer(answerSize(each));
  try {
    const problem = await device.scoped(() => submit(device, kernel, each, buffers, answer));
    if (problem !== null) return problem;
    return compare(each, await device.read(answer, answerSize(each)));
  } finally {
    for (const buffer of [...made, answer]) buffer.destroy();
  }
}

/**
 * @param {Device} device
 * @param {Kernel} kernel
 * @param {Case} each
 * @param {Map<string, GPUBuffer>} buffers
 * @param {GPUBuffer} answer
 */
function submit(device, kernel, each, buffers, answer) {
  for (const [name, parts] of Object.entries(each.inputs)) {
    for (const part of parts) {
      device.queue.writeBuffer(bufferOf(buffers, name), part.offset, contentOf(part));
    }
  }
  const group = device.gpu.createBindGroup({
    layout: kernel.layout,
    entries: [...buffers.values()].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(kernel.pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(each.grid[0], each.grid[1], each.grid[2]);
  pass.end();
  let at = 0;
  for (const part of each.expected) {
    const size = 4 * countOf(part);
    encoder.copyBufferToBuffer(bufferOf(buffers, part.binding), part.offset, answer, at, size);
    at += size;
  }
  device.queue.submit([encoder.finish()]);
}

/** @param {Map<string, GPUBuffer>} buffers @param {string} name */
function bufferOf(buffers, name) {
  const buffer = buffers.get(name);
  if (buffer === undefined) throw new MdstError('format', `answers.json names no binding ${name}`);
  return buffer;
}

/** @param {Fill | Given} part @returns {Uint32Array<ArrayBuffer>} */
export function contentOf(part) {
  if ('values' in part) return new Uint32Array(part.values);
  const { keep, add } = part.kind;
  return randomWords(part.seed, part.words).map((word, i) => (word & keep[i % 4]) | add[i % 4]);
}

/** @param {Expected} part */
function countOf(part) {
  return part.floats.length || part.words.length;
}

/** @param {Case} each */
function answerSize(each) {
  return 4 * each.expected.reduce((sum, part) => sum + countOf(part), 0);
}

/**
 * @param {Case} each
 * @param {ArrayBuffer} answer all expected parts, one after another
 * @returns {string | null} what is wrong
 */
export function compare(each, answer) {
  let error = 0;
  let total = 0;
  let at = 0;
  for (const part of each.expected) {
    const words = new Uint32Array(answer, at, countOf(part));
    const floats = new Float32Array(answer, at, countOf(part));
    if (!part.words.every((word, i) => word === words[i])) {
      return `${part.binding} differs from byte ${part.offset} on`;
    }
    part.floats.forEach((wanted, i) => {
      error += (floats[i] - wanted) ** 2;
      total += wanted ** 2;
    });
    at += 4 * countOf(part);
  }
  if (error <= each.tolerance * total) return null; // false for NaN
  return `squared error ${error.toPrecision(3)} of ${total.toPrecision(3)}`;
}
