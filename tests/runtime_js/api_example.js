/** Uses all of the public interface; it need only agree with mdst.d.ts. */

/** @import { Engine } from '../../runtime_js/mdst.d.ts' */

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
    await chat(engine, show);
    await complete(engine, show);
    const ids = await engine.tokenize('text', { parseSpecial: true });
    show(await engine.detokenize(ids));
    show(String((await engine.logits(ids, { prefill: true }))[0].length));
    const { chat: hasTemplate, last } = await engine.stats();
    show(`${hasTemplate} ${last?.decode_tokens_per_second} of ${download.bytes}`);
  } catch (error) {
    if (!(error instanceof MdstError)) throw error;
    if (error.code === 'invalid_request') show(`${error.param}: ${error.message}`);
  } finally {
    await engine.unload();
  }
}

/** @param {Engine} engine @param {(text: string) => void} show */
async function chat(engine, show) {
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: /** @type {const} */ ('text'), text: 'Hello!' }] },
  ];
  show(await engine.applyChatTemplate(messages, { add_generation_prompt: false }));
  const abort = new AbortController();
  const stream = await engine.chat.completions.create({
    messages,
    stream: true,
    stream_options: { include_usage: true },
    temperature: 0.7,
    top_p: 0.9,
    max_completion_tokens: 100,
    stop: ['\n\n'],
    chat_template_kwargs: { enable_thinking: false },
    signal: abort.signal,
  });
  for await (const { choices, usage } of stream) {
    for (const { delta, finish_reason } of choices) show(delta.content ?? finish_reason ?? '');
    if (usage) show(`${usage.prompt_tokens_details.cached_tokens} of ${usage.total_tokens}`);
  }
  const answer = await engine.chat.completions.create({
    messages,
    logprobs: true,
    top_logprobs: 2,
    n: 2,
    seed: 1,
    tools: [{ type: 'function', function: { name: 'now', parameters: {} } }],
    tool_choice: 'auto',
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'mood', schema: { type: 'string', enum: ['good', 'bad'] } },
    },
  });
  for (const { message, logprobs } of answer.choices) {
    show(`${message.role}: ${JSON.parse(message.content)}`);
    show(String(logprobs?.content[0].top_logprobs[0].bytes));
  }
}

/** @param {Engine} engine @param {(text: string) => void} show */
async function complete(engine, show) {
  const request = { prompt: 'Once', temperature: 0.8, logit_bias: { 5: -1 }, logprobs: 1 };
  for await (const part of await engine.completions.create({ ...request, stream: true })) {
    show(part.choices[0].text);
    if (part.timings) show(`${part.timings.decode_seconds} s, seed ${part.seed}`);
  }
  const whole = await engine.completions.create({ prompt: [1, 2], max_tokens: 5, echo: true });
  show(whole.choices[0].finish_reason + whole.usage.completion_tokens.toFixed());
}
