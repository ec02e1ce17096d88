// One instance of a module: the caller's, which loads weights and measures, or a member of its team.

let manifest, module, memory, exports;

async function instantiate(code) {
  const instance = await WebAssembly.instantiate(code, { env: { memory } });
  exports = instance.exports;
}

const bytes = (address, size) => new Uint8Array(memory.buffer, address, size);
const words = (address, size) => new Uint32Array(memory.buffer, address, size);

async function load(name) {
  manifest = await (await fetch('bundle/manifest.json')).json();
  module = manifest.wasm.find((m) => m.name === name);
  const shared = module.features.includes('threads');
  memory = new WebAssembly.Memory({ initial: module.pages, maximum: module.pages, shared });
  for (const shard of manifest.weights[0].shards) {
    const data = await (await fetch(`bundle/weights/${shard.sha256}.bin`)).arrayBuffer();
    bytes(module.weights[shard.buffer] + shard.offset, shard.size).set(new Uint8Array(data));
  }
  const code = await WebAssembly.compileStreaming(fetch(`bundle/${module.file}`));
  await instantiate(code);
  return code;
}

async function gather(code, threads) {
  exports.join(0, threads);
  for (let number = 1; number < threads; number++) {
    const member = new Worker('wasm_worker.js', { type: 'module' });
    const ready = new Promise((resolve) => (member.onmessage = resolve));
    member.postMessage({ code, memory, number, threads, job: words(module.team, 1)[0] });
    await ready;
  }
}

function writeState(values) {
  for (const { name, type, offset } of manifest.state) {
    const value = values[name] ?? 0;
    const Kind = type === 'f32' ? Float32Array : Uint32Array;
    new Kind(memory.buffer, module.state + offset, 1)[0] = value;
  }
}

function run(length, count) {
  const vocabulary = manifest.model.vocabulary;
  const ids = Array.from({ length }, (_, i) => (i * 7919 + 104729) % (vocabulary - 300));
  words(module.tokens, length).set(ids);
  const state = { limit: manifest.context.max_position, top_p: 1, repetition_penalty: 1 };
  const begin = performance.now();
  for (let position = 0; position < length; position += module.chunk) {
    const n = Math.min(module.chunk, length - position);
    writeState({ ...state, log_min_p: -3e38, position, n_tokens: n });
    exports.prefill(n, Number(position + n === length));
  }
  exports.sample();
  const middle = performance.now();
  for (let i = 1; i < count; i++) exports.decode();
  const end = performance.now();
  return {
    prefill: (1000 * length) / (middle - begin),
    decode: (1000 * (count - 1)) / (end - middle),
  };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function measure({ options, isolated, agent }) {
  const threads = Number(options.threads ?? 1);
  const code = await load(options.module ?? 'relaxed');
  if (threads > 1) await gather(code, threads);
  postMessage({ line: { agent, isolated, module: module.name, threads, pages: module.pages } });
  const prompt = Number(options.prompt ?? 512);
  const runs = [];
  for (let i = 0; i <= Number(options.runs ?? 3); i++) {
    runs.push(run(prompt, Number(options.tokens ?? 128)));
  }
  const warm = runs.slice(1); // the first run is the warm-up
  postMessage({
    line: {
      prompt,
      prefill_tokens_per_second: median(warm.map((r) => r.prefill)),
      decode_tokens_per_second: median(warm.map((r) => r.decode)),
      all: warm,
      first_words: [...words(module.tokens + 4 * prompt, 8)],
    },
  });
  postMessage({ done: 'done' });
}

onmessage = async ({ data }) => {
  if (data.options) {
    measure(data).catch((error) => postMessage({ done: `${error}\n${error.stack}` }));
    return;
  }
  memory = data.memory;
  await instantiate(data.code);
  exports.join(data.number, data.threads);
  postMessage('ready');
  exports.work(data.job);
};
