import { assert, assertEquals } from '../runtime_js/assert.js';
import { engineSurvives, explain } from '../../templates/page/page/advice.js';
import { adviceFor } from '../../templates/page/page/refusal.js';
import { newest, summary } from '../../templates/page/page/completion.js';
import { progressText } from '../../templates/page/page/progress.js';

Deno.test('advice is about the first thing that is missing', () => {
  const all = { secure: true, webgpu: true, gpu: true };
  const missing = [{ secure: false }, { webgpu: false }, { gpu: false }, {}];
  const [secure, webgpu, gpu, limits] = missing.map((lack) => adviceFor({ ...all, ...lack }));
  assert(secure[0].includes('https'));
  assert(webgpu[0].includes('a browser with WebGPU'));
  assert(gpu[1].includes('driver'));
  assert(limits[0].includes('device with a stronger GPU'));
  assertEquals(adviceFor({ secure: false, webgpu: false, gpu: false }), secure);
});

Deno.test('an error says what to do, and offers only what may help', () => {
  const long = explain('context_length_exceeded', 'the prompt has 9 tokens');
  assertEquals(long, { text: 'The prompt has 9 tokens. Shorten the text.', again: false });
  assertEquals(explain('unknown', 'odd'), { text: 'Odd.', again: true });
  assert(explain('download_failed', 'gone').again);
  assert(engineSurvives('invalid_request') && !engineSurvives('device_lost'));
});

Deno.test('a text that outgrew the context keeps its first token and its newest ones', () => {
  const ids = Array.from({ length: 40 }, (_, index) => index);
  assertEquals(newest(ids, 41), ids);
  assertEquals(newest(ids, 40), [0, ...ids.slice(11)]);
  assertEquals(newest(ids, 16), [0, ...ids.slice(29)]);
  assertEquals(newest([7, 8, 9], 1), [7, 9]);
});

Deno.test('progress tells bytes, files, speed and time for weights, and counts for the rest', () => {
  /** @type {import('../../runtime_js/mdst.d.ts').Progress} */
  const half = {
    phase: 'weights',
    loaded: 2e9,
    total: 4e9,
    cached: 0,
    files: 7,
    bytesPerSecond: 50e6,
  };
  const [two, four] = ['2\u00a0GB', '4\u00a0GB'];
  const text = `${two} of ${four} · file 8 of 9 · 50\u00a0MB/s · 40 s left`;
  assertEquals(progressText(half, 9), text);
  const done = { ...half, loaded: 4e9, files: 9 };
  assertEquals(progressText(done, 9), `${four} of ${four} · file 9 of 9`);
  assertEquals(progressText({ ...half, bytesPerSecond: 0 }, 1), `${two} of ${four}`);
  assertEquals(
    progressText({ ...half, phase: 'kernels', loaded: 3, total: 1200 }, 9),
    '3 of 1,200',
  );
  assertEquals(progressText({ ...half, phase: 'check', total: 0 }, 9), '');
});

Deno.test('the last line tells how the text ended', () => {
  const prompt_tokens_details = { cached_tokens: 0 };
  const counts = { prompt_tokens: 3, completion_tokens: 101, total_tokens: 104 };
  const usage = { ...counts, prompt_tokens_details };
  /** @type {import('../../runtime_js/mdst.d.ts').CompletionChunk} */
  const chunk = {
    id: 'x',
    object: 'text_completion',
    created: 0,
    model: 'm',
    choices: [{ index: 0, text: '', tokens: [], logprobs: null, finish_reason: 'length' }],
    usage,
    timings: { prefill_seconds: 1, decode_seconds: 4 },
    seed: 5,
  };
  assertEquals(summary(chunk), 'Paused · 101 tokens · 25 tokens/s · seed 5');
  chunk.choices[0].finish_reason = 'abort';
  chunk.usage = { ...usage, completion_tokens: 1 };
  assertEquals(summary(chunk), 'Stopped · 1 token · seed 5');
});
