/**
 * Logits → natural logarithms of probabilities, as the model gave them: before bias, penalties,
 * filters and temperature.
 */

/**
 * `offset`: characters of the text before the token; `top`: the likeliest tokens, best first.
 *
 * @typedef {{ id: number, logprob: number, offset: number,
 *   top: { id: number, logprob: number }[] }} TokenLogprob
 */

/**
 * log softmax: l − (max + log Σ exp(l − max)), summed in float64.
 *
 * @param {Float32Array} logits [vocabulary]
 * @param {number} id the token that was drawn
 * @param {number} count of the likeliest
 * @param {number} offset
 * @returns {TokenLogprob}
 */
export function tokenLogprob(logits, id, count, offset) {
  let largest = -Infinity;
  for (const logit of logits) if (logit > largest) largest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  const total = largest + Math.log(sum);
  const top = likeliest(logits, count).map((each) => ({ id: each, logprob: logits[each] - total }));
  return { id, logprob: logits[id] - total, offset, top };
}

/**
 * @param {Float32Array} logits
 * @param {number} count
 * @returns {number[]} ids, the largest logit first, of equal ones the lowest id
 */
function likeliest(logits, count) {
  /** @type {number[]} */
  const best = [];
  for (let id = 0; id < logits.length; id += 1) {
    if (best.length === count && !(count > 0 && logits[id] > logits[best[count - 1]])) continue;
    let at = best.length;
    while (at > 0 && logits[id] > logits[best[at - 1]]) at -= 1;
    best.splice(at, 0, id);
    if (best.length > count) best.pop();
  }
  return best;
}
