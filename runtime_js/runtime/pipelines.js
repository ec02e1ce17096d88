/**
 * WGSL → compute pipelines, compiled side by side without stopping the page.
 *
 * @import { Tier } from './manifest.d.ts'
 * @import { Device } from './device.js'
 */

import { MdstError } from './errors.js';

const COMPUTE = 0x4; // GPUShaderStage.COMPUTE

/** What a kernel needs in front of it for a feature of the device. */
const PRELUDES = new Map([
  ['subgroups', 'enable subgroups;\n'],
  ['shader-f16', 'enable f16;\n'],
]);

/**
 * A kernel ready to be dispatched. Kernels with the same accesses share `layout`, so they can share
 * bind groups.
 *
 * @typedef {{ name: string, pipeline: GPUComputePipeline, layout: GPUBindGroupLayout }} Kernel
 */

/**
 * @param {Device} device
 * @param {Tier} tier
 * @param {Map<string, string>} texts kernel names → WGSL
 * @returns {(number: number) => Promise<Kernel>} compiles one of `tier.kernels`; it throws MdstError
 *   'format' when that is missing, 'unsupported_device' when it is refused
 */
export function compilerOf(device, tier, texts) {
  const prelude = tier.features.map((feature) => PRELUDES.get(feature) ?? '').join('');
  /** @type {Map<string, { layout: GPUBindGroupLayout, whole: GPUPipelineLayout }>} */
  const layouts = new Map();
  return async (number) => {
    const { name, access } = tier.kernels[number];
    const text = texts.get(name);
    if (text === undefined) throw new MdstError('format', `${tier.wgsl} has no kernel ${name}`);
    const key = access.join();
    const { layout, whole } = layouts.get(key) ?? makeLayout(device.gpu, access);
    layouts.set(key, { layout, whole });
    const pipeline = await compile(device.gpu, name, prelude + text, whole);
    return { name, pipeline, layout };
  };
}

/** @param {GPUDevice} gpu @param {string[]} access */
function makeLayout(gpu, access) {
  const layout = gpu.createBindGroupLayout({
    entries: access.map((each, binding) => ({
      binding,
      visibility: COMPUTE,
      buffer: { type: each === 'read' ? 'read-only-storage' : 'storage' },
    })),
  });
  return { layout, whole: gpu.createPipelineLayout({ bindGroupLayouts: [layout] }) };
}

/**
 * @param {GPUDevice} gpu
 * @param {string} name
 * @param {string} code
 * @param {GPUPipelineLayout} layout
 */
async function compile(gpu, name, code, layout) {
  gpu.pushErrorScope('validation'); // the reason comes from getCompilationInfo
  const module = gpu.createShaderModule({ label: name, code });
  gpu.popErrorScope().catch(() => {});
  try {
    const compute = { module, entryPoint: 'main' };
    return await gpu.createComputePipelineAsync({ label: name, layout, compute });
  } catch (error) {
    const { messages } = await module.getCompilationInfo();
    const found = messages.filter(({ type }) => type === 'error').slice(0, 3);
    const reasons = found.map((m) => `line ${m.lineNum}: ${m.message}`);
    if (reasons.length === 0) reasons.push(error instanceof Error ? error.message : String(error));
    const message = `kernel ${name} does not compile here: ${reasons.join('; ')}`;
    throw new MdstError('unsupported_device', message, { cause: error });
  }
}
