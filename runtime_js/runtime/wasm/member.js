/** A worker that takes part in the programs of a module until it is ended. */

addEventListener('message', ({ data: { code, memory, number, threads, job } }) => {
  const instance = new WebAssembly.Instance(code, { env: { memory } });
  const exports = /** @type {Record<string, (...values: number[]) => void>} */ (instance.exports);
  exports.join(number, threads);
  postMessage('ready');
  exports.work(job);
});
