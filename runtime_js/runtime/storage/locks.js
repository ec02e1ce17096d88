/**
 * Agreement between the tabs of an origin. Nothing depends on it but work done twice: whatever is
 * read is checked.
 */

const PATIENCE = 60_000; // milliseconds that one tab waits for another

/**
 * Runs `work` when no other tab runs some of the same name; after a long wait, all the same.
 *
 * @template T
 * @param {string} name
 * @param {AbortSignal} signal
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function alone(name, signal, work) {
  const { locks } = navigator;
  if (!locks) return await work();
  const late = new AbortController();
  const end = () => late.abort();
  const timer = setTimeout(end, PATIENCE);
  signal.addEventListener('abort', end);
  let begun = false;
  const begin = () => {
    begun = true;
    clearTimeout(timer);
    return work();
  };
  try {
    return await locks.request(`mdst ${name}`, { signal: late.signal }, begin);
  } catch (error) {
    if (begun) throw error;
    return await work(); // which ends at once if `signal` says so
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}

/** Runs `work` while `ifUnused` of any tab does nothing. @template T @param {() => Promise<T>} work */
export async function using(work) {
  const { locks } = navigator;
  if (!locks) return await work();
  return /** @type {T} */ (await locks.request('mdst', { mode: 'shared' }, work));
}

/** Runs `work` if no tab is `using`. @param {() => Promise<void>} work */
export async function ifUnused(work) {
  await navigator.locks?.request('mdst', { ifAvailable: true }, (lock) => lock && work());
}
