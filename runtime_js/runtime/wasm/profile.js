/**
 * How long a token takes on the CPU. Its steps run on all threads at once and are not timed alone.
 *
 * @import { Profile } from '../../mdst.d.ts'
 * @import { WasmModel } from './model.js'
 */

const LONG = 500; // milliseconds that all tokens together may take
const MOST_TOKENS = 64;

/**
 * Runs tokens that belong to no text; afterwards the cache counts as empty.
 *
 * @param {WasmModel} model
 * @returns {Promise<Profile>}
 */
export async function profileToken(model) {
  const { window, max_position: limit } = model.manifest.context;
  // Attention takes as long as the text is that is there.
  const position = Math.min(Math.max(model.cache.ids.length, 1), window - 1);
  model.cache.clear();
  model.begin({ sampling: {}, limit, sinks: 0, endIds: [], counted: null, bias: null });
  const spent = { forward: 0, sample: 0 };
  let tokens = 0;
  while (tokens < MOST_TOKENS && spent.forward + spent.sample < LONG) {
    model.place(position, [0]);
    await model.work(({ decode_logits: forward, sample }) => {
      const started = performance.now();
      forward();
      const middle = performance.now();
      sample();
      spent.forward += middle - started;
      spent.sample += performance.now() - middle;
    });
    tokens += 1;
  }
  model.cache.clear();
  const timing = (/** @type {string} */ label, /** @type {number} */ milliseconds) => (
    { label, microseconds: 1000 * milliseconds / tokens, steps: 1 }
  );
  const kernels = [timing('all layers', spent.forward), timing('sampling', spent.sample)];
  const microseconds = kernels.reduce((sum, one) => sum + one.microseconds, 0);
  return { method: 'clock', tokens, microseconds, layers: [], kernels };
}
