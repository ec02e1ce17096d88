/**
 * Programs of a tier as flat lists of dispatches, bound once.
 *
 * @import { Manifest, Program } from './manifest.d.ts'
 * @import { Device } from './device.js'
 * @import { Kernel } from './pipelines.js'
 */

import { MdstError } from './errors.js';

/**
 * @typedef {{ pipeline: GPUComputePipeline, group: GPUBindGroup, grid: number[] }} Dispatch
 * @typedef {{
 *   prefill: { tokens: number, steps: Dispatch[] }[],
 *   prefillLogits: Dispatch[],
 *   decode: Decode[],
 *   decodeLogits: Dispatch[],
 *   sample: Dispatch[],
 * }} Programs `prefill` by growing number of tokens, `decode` by reach
 * @typedef {{ name: string, reach: number, steps: Dispatch[] }} Decode
 */

/**
 * @param {Device} device
 * @param {Manifest} manifest
 * @param {Kernel[]} kernels by number
 * @param {GPUBuffer[]} buffers
 * @returns {(program: Program) => Dispatch[]}
 */
export function binderOf(device, manifest, kernels, buffers) {
  const views = manifest.views.map(({ buffer, offset, size }) => (
    { buffer: buffers[buffer], offset, size }
  ));
  /** @type {Map<GPUBindGroupLayout, Map<string, GPUBindGroup>>} */
  const groups = new Map();
  /** @param {GPUBindGroupLayout} layout @param {number[]} numbers */
  const groupOf = (layout, numbers) => {
    const ofLayout = groups.get(layout) ?? new Map();
    groups.set(layout, ofLayout);
    const key = numbers.join();
    const group = ofLayout.get(key) ?? device.gpu.createBindGroup({
      layout,
      entries: numbers.map((number, binding) => ({ binding, resource: views[number] })),
    });
    ofLayout.set(key, group);
    return group;
  };
  return (program) =>
    program.steps.map((step) => {
      const { pipeline, layout } = kernels[step.kernel];
      return { pipeline, group: groupOf(layout, step.views), grid: step.grid };
    });
}

/**
 * @param {Program[]} programs of a tier
 * @param {(program: Program) => Dispatch[]} bind
 * @returns {Programs}
 */
export function bindPrograms(programs, bind) {
  /** @param {string} phase */
  const one = (phase) => {
    const program = programs.find((each) => each.phase === phase);
    if (program === undefined) throw new MdstError('format', `there is no program ${phase}`);
    return bind(program);
  };
  return {
    prefill: programs
      .filter((program) => program.phase === 'prefill')
      .sort((a, b) => a.tokens - b.tokens)
      .map((program) => ({ tokens: program.tokens, steps: bind(program) })),
    prefillLogits: one('prefill_logits'),
    decode: bindDecode(programs, bind),
    decodeLogits: one('decode_logits'),
    sample: one('sample'),
  };
}

/**
 * @param {Program[]} programs
 * @param {(program: Program) => Dispatch[]} bind
 * @returns {Decode[]} those for a token, by reach
 */
export function bindDecode(programs, bind) {
  return programs
    .filter((program) => program.phase === 'decode')
    .sort((a, b) => a.reach - b.reach)
    .map((program) => ({ name: program.name, reach: program.reach, steps: bind(program) }));
}

/**
 * The smallest of the programs that a run of tokens fits.
 *
 * @template {{ tokens: number }} T
 * @param {T[]} programs by growing size
 * @param {number} tokens
 * @returns {T}
 */
export function chunkFor(programs, tokens) {
  return programs.find((program) => program.tokens >= tokens) ?? programs[programs.length - 1];
}

/**
 * The fastest of the programs that may run at all positions before `end`.
 *
 * @template {{ reach: number }} T
 * @param {T[]} programs by growing reach
 * @param {number} end
 * @returns {T}
 */
export function reaching(programs, end) {
  return programs.find((program) => program.reach >= end) ?? programs[programs.length - 1];
}

/**
 * All dispatches in one compute pass.
 *
 * @param {GPUCommandEncoder} encoder
 * @param {Dispatch[]} steps
 * @param {number} [repeat]
 * @param {GPUComputePassDescriptor} [descriptor]
 */
export function encode(encoder, steps, repeat = 1, descriptor = {}) {
  const pass = encoder.beginComputePass(descriptor);
  let pipeline = null;
  let group = null;
  for (let turn = 0; turn < repeat; turn += 1) {
    for (const step of steps) {
      if (step.pipeline !== pipeline) pass.setPipeline(pipeline = step.pipeline);
      if (step.group !== group) pass.setBindGroup(0, group = step.group);
      pass.dispatchWorkgroups(step.grid[0], step.grid[1], step.grid[2]);
    }
  }
  pass.end();
}
