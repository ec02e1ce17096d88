/**
 * Logits for tests: what a model gives after each of some tokens.
 *
 * @import { Model } from './model.js'
 */

import { chunkFor } from './generation.js';

const IN_FLIGHT = 4;

/**
 * Begins a new text; afterwards the cache counts as empty.
 *
 * @param {Model} model
 * @param {readonly number[]} ids checked
 * @param {{ prefill: boolean, last: number, sinks: number }} options
 * @returns {Promise<Float32Array<ArrayBuffer>[]>} float32 [vocabulary] each
 */
export async function readLogits(model, ids, { prefill, last, sinks }) {
  model.cache.clear();
  const steps = prefill ? [ids] : ids.map((id) => [id]);
  const wanted = prefill ? 1 : Math.min(last, ids.length);
  const view = model.manifest.views[model.manifest.logits];
  const size = 4 * model.manifest.model.vocabulary;
  const buffers = Array.from({ length: IN_FLIGHT }, () => model.device.readbackBuffer(size));
  /** @type {Promise<ArrayBuffer>[]} */
  const rows = [];
  try {
    for (const [i, part] of steps.entries()) {
      if (prefill) runPrompt(model, part, sinks);
      else runToken(model, i, part[0], sinks);
      if (i < steps.length - wanted) {
        if (i % IN_FLIGHT === 0) await model.device.finished();
        continue;
      }
      if (rows.length >= IN_FLIGHT) await rows[rows.length - IN_FLIGHT];
      const buffer = buffers[rows.length % IN_FLIGHT];
      const encoder = model.device.gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(model.buffers[view.buffer], view.offset, buffer, 0, size);
      model.device.queue.submit([encoder.finish()]);
      const row = model.device.read(buffer, size);
      row.catch(() => {}); // reported at the end
      rows.push(row);
    }
    return (await Promise.all(rows)).map((row) => new Float32Array(row));
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/** @param {Model} model @param {readonly number[]} ids @param {number} sinks */
function runPrompt(model, ids, sinks) {
  const { chunk } = model.manifest.context;
  for (let from = 0; from < ids.length; from += chunk) {
    const part = ids.slice(from, from + chunk);
    model.writeTokens(from, part);
    model.writeState({ position: from, n_tokens: part.length, sinks });
    model.submit(chunkFor(model.programs.prefill, part.length).steps);
  }
  model.submit(model.programs.prefillLogits);
}

/** @param {Model} model @param {number} position @param {number} id @param {number} sinks */
function runToken(model, position, id, sinks) {
  model.writeTokens(position, [id]);
  model.writeState({ position, n_tokens: 1, sinks });
  model.submit(model.programs.decodeLogits);
}
