/**
 * The state buffer: names ↔ bytes, as the manifest lays them out.
 *
 * @import { Settings } from './executor.d.ts'
 * @import { Field } from './manifest.d.ts'
 */

/** Values of the field `done`. */
export const END = 1; // an end token was drawn
export const FULL = 2; // the limit was reached

/**
 * @param {Field[]} fields
 * @param {Record<string, number | number[]>} values fields without one become 0
 * @returns {ArrayBuffer}
 */
export function packState(fields, values) {
  const bytes = new ArrayBuffer(stateSize(fields));
  const view = new DataView(bytes);
  for (const { name, type, offset, count } of fields) {
    const items = [values[name] ?? 0].flat().slice(0, count);
    items.forEach((item, i) => {
      if (type === 'f32') view.setFloat32(offset + 4 * i, item, true);
      else view.setUint32(offset + 4 * i, item, true);
    });
  }
  return bytes;
}

/** @param {Field[]} fields @returns {number} bytes */
export function stateSize(fields) {
  return Math.max(...fields.map(({ offset, count }) => offset + 4 * count));
}

/**
 * @param {Field[]} fields
 * @param {DataView} view
 * @param {string} name
 * @returns {number} the first value of a u32 field
 */
export function readField(fields, view, name) {
  const field = fields.find((each) => each.name === name);
  return field === undefined ? 0 : view.getUint32(field.offset, true);
}

/**
 * @param {NonNullable<Settings['counted']>} counted
 * @param {number} vocabulary
 * @returns {Uint32Array<ArrayBuffer>} how often each token was drawn; the top bit says that it occurs
 *   in the prompt
 */
export function countsOf({ prompt, output }, vocabulary) {
  const counts = new Uint32Array(vocabulary);
  for (const id of prompt) counts[id] = 2 ** 31;
  for (const id of output) counts[id] += 1;
  return counts;
}
