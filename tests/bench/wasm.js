// Times a module of the bundle at /bundle/ by itself, in a worker, and reports a JSON line per setting: the
// median of some runs. Query: module (relaxed), threads (1), prompt (512 tokens), tokens (128), runs (3).

const query = new URLSearchParams(location.search);

const report = (data, path = 'log') =>
  fetch(`/${path}`, {
    method: 'POST',
    body: typeof data === 'string' ? data : JSON.stringify(data),
  });

const worker = new Worker('wasm_worker.js', { type: 'module' });
worker.onmessage = ({ data }) => report(data.line ?? data.done, data.done ? 'done' : 'log');
worker.onerror = (event) => report(`${event.message} (${event.filename}:${event.lineno})`, 'done');
worker.postMessage({
  options: Object.fromEntries(query),
  isolated: crossOriginIsolated,
  agent: navigator.userAgent,
});
