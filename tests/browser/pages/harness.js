/**
 * What tests call in a page that is served beside a bundle: engines by name, plain values in and
 * out. Nothing may hang: what takes too long fails.
 */

const LIMIT = 150; // seconds
const base = new URL('.', import.meta.url).href;

/** @type {Record<string, any>} */
const engines = {};

/** @param {Promise<any>} work */
function within(work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${LIMIT} s`)), 1000 * LIMIT);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** The runtime of the bundle; imported when it is asked for, as the page may be changed before. */
function runtime() {
  return import(`${base}mdst.js`);
}

/** @param {any} [options] */
async function ability(options) {
  return await within((await runtime()).canRun(options));
}

/** Loads the bundle as the engine `name`. @param {any} [options] @returns {Promise<any>} its stats */
async function start(options, name = 'main') {
  engines[name] = await within((await runtime()).load(options));
  return await engines[name].stats();
}

/** @param {any} request with messages or a prompt @param {string} name */
function endpoint({ messages }, name) {
  return messages ? engines[name].chat.completions : engines[name].completions;
}

/** @param {any} request @returns {Promise<any>} */
function create(request, name = 'main') {
  return within(endpoint(request, name).create(request));
}

/**
 * Reads a stream. After `most` tokens it is left: by `break`, or with `how` abort by the signal.
 *
 * @param {any} request
 * @param {{ most?: number, how?: 'break' | 'abort', name?: string }} [leaving]
 */
async function stream(request, { most = Infinity, how = 'break', name = 'main' } = {}) {
  const controller = new AbortController();
  const all = { ...request, stream: true, signal: controller.signal };
  const chunks = [];
  let count = 0;
  for await (const chunk of await endpoint(request, name).create(all)) {
    chunks.push(chunk);
    count += chunk.choices[0]?.tokens.length ?? 0;
    if (count >= most && how === 'break') break;
    if (count >= most) controller.abort();
  }
  return chunks;
}

/** @param {Float32Array[]} rows @returns {string} their bytes in base64 */
function packed(rows) {
  let text = '';
  for (const row of rows) {
    const bytes = new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
    for (const byte of bytes) text += String.fromCharCode(byte);
  }
  return btoa(text);
}

/** @param {number[]} ids @param {any} [options] */
async function logits(ids, options, name = 'main') {
  return packed(await within(engines[name].logits(ids, options)));
}

/** @param {() => Promise<any>} work that must fail @returns {Promise<any>} how it did */
async function failure(work) {
  const { MdstError } = await runtime();
  try {
    await work();
  } catch (error) {
    const { name, code, message, param, problems } = /** @type {any} */ (error);
    return { name, code, message, param, problems, ours: error instanceof MdstError };
  }
  throw new Error('it did not fail');
}

Object.assign(globalThis, {
  base,
  engines,
  runtime,
  ability,
  start,
  create,
  stream,
  logits,
  packed,
  failure,
  ready: true,
});
