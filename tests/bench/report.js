// What the pages here share: a line for the server, a median, a prompt that is another in each run.

const query = new URLSearchParams(location.search);

/** @param {string} name @param {number} fallback */
export const number = (name, fallback) => Number(query.get(name) ?? fallback);

/** @param {string} name @param {string} fallback */
export const list = (name, fallback) => (query.get(name) ?? fallback).split(',').map(Number);

/** @param {string} name */
export const word = (name) => query.get(name) ?? undefined;

/** @type {Promise<unknown>} lines arrive in order */
let before = Promise.resolve();

export function report(data, path = 'log') {
  const body = typeof data === 'string' ? data : JSON.stringify(data);
  before = before.then(() => fetch(`/${path}`, { method: 'POST', body }));
  return before;
}

export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

// Other ids in each run, so that nothing of the prompt is in the cache.
let salt = 1;
export function promptOf(length, vocabulary) {
  salt += 7;
  return Array.from({ length }, (_, i) => (i * 7919 + salt * 104729) % (vocabulary - 300));
}

/**
 * The first of `runs` + 1 is the warm-up. Rates are over what lies between the first token and the
 * last, and over the prompt up to the first.
 */
export async function measured(runs, once) {
  const results = [];
  for (let turn = 0; turn <= runs; turn++) {
    results.push(await once());
    report({ run: turn, ...results.at(-1) });
  }
  const warm = results.slice(1);
  return {
    prefill_tokens_per_second: median(warm.map((r) => r.prompt_tokens / r.prefill_seconds)),
    decode_tokens_per_second: median(
      warm.map((r) => (r.completion_tokens - 1) / r.decode_seconds),
    ),
    prompt_tokens: [...new Set(results.map((r) => r.prompt_tokens))],
    completion_tokens: [...new Set(results.map((r) => r.completion_tokens))],
  };
}

export const ending = (work) =>
  work.then(() => report('done', 'done')).catch((error) =>
    report(`${error.name} ${error.code}: ${error.message}\n${error.stack}`, 'done')
  );
