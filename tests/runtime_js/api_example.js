/** Uses all of the public interface; it need only agree with mdst.d.ts. */

// @ts-types="../../runtime_js/mdst.d.ts"
import { canRun, load, MdstError } from '../../runtime_js/mdst.js';

/** @param {(text: string) => void} show */
export async function example(show) {
  const { ok, problems, download } = await canRun({ base: 'model/' });
  if (!ok) return show(problems.map(({ message, needed }) => `${message} (${needed})`).join());
  const engine = await load({
    onProgress: ({ phase, loaded, total }) => show(`${phase} ${loaded / total}`),
    on_full: 'slide',
    sinks: 4,
    signal: AbortSignal.timeout(60_000),
  });
  try {
    const request = { prompt: 'Once', temperature: 0.8, stop: ['\n'], logit_bias: { 5: -1 } };
    for await (const part of await engine.completions.create({ ...request, stream: true })) {
      show(part.choices[0].text);
      if (part.timings) show(`${part.timings.decode_seconds} of ${download.bytes}`);
    }
    const whole = await engine.completions.create({ prompt: [1, 2], max_tokens: 5 });
    show(whole.choices[0].finish_reason + whole.usage.completion_tokens.toFixed());
    const ids = await engine.tokenize('text', { parseSpecial: true });
    show(await engine.detokenize(ids));
    show(String((await engine.logits(ids, { prefill: true }))[0].length));
    show(String((await engine.stats()).last?.decode_tokens_per_second));
  } catch (error) {
    if (error instanceof MdstError && error.code === 'device_lost') show(error.message);
  } finally {
    await engine.unload();
  }
}
