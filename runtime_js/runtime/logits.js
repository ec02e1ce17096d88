/**
 * Logits for tests: what a model gives after each of some tokens.
 *
 * @import { Executor } from './executor.d.ts'
 */

const AT_ONCE = 4; // tokens on their way

/**
 * Begins a new text; afterwards the cache counts as empty.
 *
 * @param {Executor} executor
 * @param {readonly number[]} ids checked
 * @param {{ prefill: boolean, last: number, sinks: number }} options
 * @returns {Promise<Float32Array<ArrayBuffer>[]>} float32 [vocabulary] each
 */
export async function readLogits(executor, ids, { prefill, last, sinks }) {
  const limit = executor.manifest.context.max_position;
  executor.cache.clear();
  executor.begin({ sampling: {}, limit, sinks, endIds: [], counted: null, bias: null });
  const rows = [];
  try {
    if (prefill) {
      await executor.prefill(ids, 0, new AbortController().signal);
      return [await executor.logits()];
    }
    for (const [i, id] of ids.entries()) {
      executor.feed(i, id);
      if (i >= ids.length - last) rows.push(await executor.logits());
      else if (i % AT_ONCE === 0) await executor.finished();
    }
    return rows;
  } finally {
    executor.cache.clear();
  }
}
