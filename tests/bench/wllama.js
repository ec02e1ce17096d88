// Times wllama (package in the folder served at /wllama/, model at /model.gguf) without a GPU, as
// browser.js times a bundle. Query: threads (1), prompt (64 tokens), tokens (32), runs (5), context
// (1024).

import { ending, measured, number, report } from './report.js';
import { Wllama } from './wllama/esm/index.js';

async function main() {
  const threads = number('threads', 1);
  const quiet = { debug: () => {}, log: () => {}, warn: () => {}, error: report };
  const engine = new Wllama({ default: '/wllama/esm/wasm/wllama.wasm' }, { logger: quiet });
  const begin = performance.now();
  const model = await (await fetch('/model.gguf')).blob();
  await engine.loadModel([model], {
    n_ctx: number('context', 1024),
    n_parallel: 1,
    n_gpu_layers: 0, // then it does not ask for an adapter at all
    n_threads: threads,
  });
  report({
    load_seconds: (performance.now() - begin) / 1000,
    engine: `wllama, ${Wllama.getLibllamaVersion()}`,
    threads: engine.getNumThreads(),
    isolated: crossOriginIsolated,
    agent: navigator.userAgent,
  });
  const once = async () => {
    const { timings } = await engine.createCompletion({
      prompt: Array(number('prompt', 64) - 1).fill('hello').join(' '), // and a BOS; it takes no ids
      max_tokens: number('tokens', 32),
      temperature: 0,
      ignore_eos: true,
      cache_prompt: false,
    });
    // llama.cpp's clock of generation starts when the first token is there, and counts that token.
    return {
      prompt_tokens: timings.prompt_n,
      completion_tokens: timings.predicted_n,
      prefill_seconds: timings.prompt_ms / 1000,
      decode_seconds: timings.predicted_ms / 1000,
    };
  };
  report(await measured(number('runs', 5), once));
}

ending(main());
