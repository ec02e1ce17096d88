/**
 * Stands in for mdst.js where a test is about the page alone: a model that is never downloaded and
 * says what `globalThis.play` tells it to. Requests are kept in `globalThis.asked`.
 */

const play = {
  problems: [],
  adapter: { vendor: 'acme', architecture: 'gpu-1', description: '', fallback: false },
  bytes: 4_200_000,
  cached: 0,
  model: { name: 'Storyteller', architecture: 'llama', parameters: 4_000_000 },
  chat: true,
  /** Progress at which loading stays; null: it ends at once. */
  stay: null,
  loadError: null,
  /** Answers, the last one again and again; { code, message } makes one fail. */
  answers: ['Hello.'],
  /** Characters per piece, and milliseconds between pieces. */
  piece: 7,
  pause: 1,
  context: 4096,
  ...globalThis.play,
};
globalThis.asked = [];

export class MdstError extends Error {
  constructor(code, message, problems = []) {
    super(message);
    Object.assign(this, { name: 'MdstError', code, problems });
  }
}

const memory = { weights: 4e6, kv: 2e6, arena: 5e5, other: 1e5, total: 6.6e6 };

export function canRun() {
  const { problems, adapter, bytes, context } = play;
  const ok = problems.length === 0;
  const tier = ok ? 'base' : null;
  const download = { bytes, files: 3, cached: play.cached };
  const { model, chat } = play;
  const needs = { download, memory, context };
  const runs = { device: ok ? 'webgpu' : null, threads: 0, notice: null, refused: [] };
  return Promise.resolve({ ok, ...runs, tier, adapter, problems, ...needs, model, chat });
}

export function clearCache() {
  globalThis.cleared = true;
  return Promise.resolve();
}

export async function load({ onProgress, signal }) {
  onProgress({ phase: 'check', loaded: 0, total: 0, files: 0, bytesPerSecond: 0 });
  for (const progress of play.stay ?? []) onProgress(progress);
  if (play.loadError) {
    const [code, message] = play.loadError;
    play.loadError = null;
    throw new MdstError(code, message);
  }
  if (play.stay) {
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(new MdstError('aborted', 'aborted')));
    });
  }
  return engine;
}

const timings = { prefill_seconds: 0.2, decode_seconds: 0.5 };

async function* chunks(answer, signal) {
  let made = 0;
  for (let at = 0; at < answer.length && !signal.aborted; at += play.piece) {
    const content = answer.slice(at, at + play.piece);
    made += 1;
    yield { choices: [{ index: 0, delta: { content }, tokens: [made], finish_reason: null }] };
    await new Promise((resolve) => setTimeout(resolve, play.pause));
  }
  const finish_reason = signal.aborted ? 'abort' : 'stop';
  const usage = { prompt_tokens: 9, completion_tokens: made, total_tokens: 9 + made };
  const choices = [{ index: 0, delta: {}, tokens: [], finish_reason }];
  yield { choices, usage, timings, seed: 5 };
}

function create({ signal, ...request }) {
  globalThis.asked.push(request);
  const answer = play.answers.length > 1 ? play.answers.shift() : play.answers[0];
  const fails = typeof answer === 'object';
  const size = JSON.stringify(request.messages).length;
  if (size > play.context) throw new MdstError('context_length_exceeded', 'the prompt is too long');
  if (fails) throw new MdstError(answer.code, answer.message);
  return chunks(answer, signal);
}

const rows = (labels) => labels.map((label, i) => ({ label, microseconds: 9 + 5 * i, steps: 1 }));

const engine = {
  chat: { completions: { create: async (request) => await create(request) } },
  stats: () =>
    Promise.resolve({
      model: { name: 'm', architecture: 'llama', parameters: 1e6, layers: 2 },
      chat: true,
      device: 'webgpu',
      threads: 0,
      notice: null,
      tier: 'base',
      refused: [],
      tuning: { source: 'order', tier: 'base', programs: ['decode'], times: [] },
      adapter: play.adapter,
      worker: true,
      context: play.context,
      memory,
      dispatches_per_token: 39,
      load: { total_seconds: 1.5 },
      cache: { kept: true, notice: null, offline: false, healed: 0 },
      last: { prefill_tokens_per_second: 1234, decode_tokens_per_second: 98.7 },
    }),
  profile: () =>
    Promise.resolve({
      method: 'timestamps',
      tokens: 8,
      microseconds: 480,
      layers: rows(['embedding', 'blk.0', 'blk.1', 'output', 'sample']),
      kernels: rows(['qkv', 'attention', 'ffn_gate_up', 'ffn_down']).reverse(),
    }),
  unload: () => Promise.resolve(),
};
