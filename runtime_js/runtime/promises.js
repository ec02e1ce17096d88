/** Promises whose failure is told in one place only. */

/** @template T @param {Promise<T>} promise @returns {Promise<T>} whose failure is told when awaited */
export function quiet(promise) {
  promise.catch(() => {});
  return promise;
}

/** @param {Promise<unknown>} promise @returns {Promise<never>} its failure, if it comes */
export function failureOf(promise) {
  return new Promise((_, reject) => promise.catch(reject));
}
