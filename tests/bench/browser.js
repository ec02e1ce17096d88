// Loads the bundle at /bundle/ and reports, a JSON line each: the device, the load, and per setting the
// median of some runs. Query: prompt ("512,3900" tokens), tokens (128), runs (3), steps ("0,8,16": 0
// adapts), device, tier, threads, cache (0: the download is not kept), again (1: it is loaded once
// more), profile (1: microseconds per kind of kernel, at the end; see --exact-clock).

import { canRun, load } from './bundle/mdst.js';
import { ending, list, measured, number, promptOf, report, word } from './report.js';

async function run(engine, vocabulary, length, steps) {
  const once = async () => {
    const completion = await engine.completions.create({
      prompt: promptOf(length, vocabulary),
      max_tokens: number('tokens', 128),
      temperature: 0,
      ignore_eos: true,
      ...(steps ? { steps } : {}),
    });
    return { ...completion.usage, ...completion.timings };
  };
  return { prompt: length, steps: steps || 'adapting', ...await measured(number('runs', 3), once) };
}

async function main() {
  const device = word('device') ?? 'auto';
  const threads = number('threads', 0) || undefined;
  report(await canRun({ device }));
  const { vendor, architecture, subgroupMinSize, subgroupMaxSize } =
    (await navigator.gpu?.requestAdapter())?.info ?? {};
  report({ vendor, architecture, subgroupMinSize, subgroupMaxSize });
  const begin = performance.now();
  const options = { device, threads, tier: word('tier'), cache: number('cache', 1) === 1 };
  let engine = await load(options);
  report({ load_seconds: (performance.now() - begin) / 1000, stats: await engine.stats() });
  if (number('again', 0) === 1) {
    await engine.unload();
    engine = await load(options);
    report({ loaded_again: (await engine.stats()).load });
  }
  const manifest = await (await fetch('bundle/manifest.json')).json();
  for (const length of list('prompt', '512')) {
    for (const steps of list('steps', '0,8')) {
      report(await run(engine, manifest.model.vocabulary, length, steps));
    }
  }
  if (number('profile', 0) === 1) { // of a token after the last prompt
    const { method, tokens, microseconds, kernels } = await engine.profile();
    report({ profile: { method, tokens, microseconds, kernels } });
  }
  await engine.unload();
}

ending(main());
