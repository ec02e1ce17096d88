// Loads the bundle at /bundle/ and reports, a JSON line each: the device, the load, and per setting the
// median of some runs. Query: prompt ("512,3900" tokens), tokens (128), runs (3), steps ("0,8,16": 0
// adapts), tier, cache (0: the download is not kept), again (1: it is loaded once more).

import { canRun, load } from './bundle/mdst.js';

const query = new URLSearchParams(location.search);
const number = (name, fallback) => Number(query.get(name) ?? fallback);

const report = (data, path = 'log') =>
  fetch(`/${path}`, {
    method: 'POST',
    body: typeof data === 'string' ? data : JSON.stringify(data),
  });

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

// Other ids in each run, so that nothing of the prompt is in the cache.
let salt = 1;
function prompt(length, vocabulary) {
  salt += 7;
  return Array.from({ length }, (_, i) => (i * 7919 + salt * 104729) % (vocabulary - 300));
}

async function run(engine, vocabulary, length, steps) {
  const results = [];
  for (let i = 0; i <= number('runs', 3); i++) {
    const completion = await engine.completions.create({
      prompt: prompt(length, vocabulary),
      max_tokens: number('tokens', 128),
      temperature: 0,
      ignore_eos: true,
      ...(steps ? { steps } : {}),
    });
    results.push({ ...completion.usage, ...completion.timings });
  }
  const warm = results.slice(1); // the first run is the warm-up
  return {
    prompt: length,
    steps: steps || 'adapting',
    prefill_tokens_per_second: median(warm.map((r) => r.prompt_tokens / r.prefill_seconds)),
    decode_tokens_per_second: median(
      warm.map((r) => (r.completion_tokens - 1) / r.decode_seconds),
    ),
    first: results[0],
  };
}

async function main() {
  report(await canRun());
  const { vendor, architecture, subgroupMinSize, subgroupMaxSize } =
    (await navigator.gpu?.requestAdapter())?.info ?? {};
  report({ vendor, architecture, subgroupMinSize, subgroupMaxSize });
  const begin = performance.now();
  const options = { tier: query.get('tier') ?? undefined, cache: number('cache', 1) === 1 };
  let engine = await load(options);
  report({ load_seconds: (performance.now() - begin) / 1000, stats: await engine.stats() });
  if (number('again', 0) === 1) {
    await engine.unload();
    engine = await load(options);
    report({ loaded_again: (await engine.stats()).load });
  }
  const manifest = await (await fetch('bundle/manifest.json')).json();
  const list = (name, fallback) => (query.get(name) ?? fallback).split(',').map(Number);
  for (const length of list('prompt', '512')) {
    for (const steps of list('steps', '0,8')) {
      report(await run(engine, manifest.model.vocabulary, length, steps));
    }
  }
  await engine.unload();
}

main()
  .then(() => report('done', 'done'))
  .catch((error) =>
    report(`${error.name} ${error.code}: ${error.message}\n${error.stack}`, 'done')
  );
