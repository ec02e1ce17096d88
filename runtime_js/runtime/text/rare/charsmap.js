/**
 * SentencePiece's precompiled character map: texts → their replacements, the longest text first.
 *
 * The twin of compiler/mdst/text/charsmap.py, which documents the bytes and has checked them; what a
 * broken map has not is not found.
 */

import { UTF8 } from '../characters.js';

const VALUE = 0x80000000;

export class CharsMap {
  #units;
  #texts;

  /** @param {Uint8Array} data */
  constructor(data) {
    const size = data.length < 4
      ? 0
      : new DataView(data.buffer, data.byteOffset).getUint32(0, true);
    const count = Math.floor(Math.min(size, Math.max(data.length - 4, 0)) / 4);
    // A copy, since units stand anywhere in the file.
    this.#units = new Uint32Array(data.slice(4, 4 + 4 * count).buffer);
    this.#texts = data.subarray(4 + 4 * count);
  }

  /** @param {string} text */
  map(text) {
    const bytes = UTF8.encode(text);
    /** @type {number[]} */
    const mapped = [];
    for (let start = 0; start < bytes.length;) {
      const { at, end } = this.#longest(bytes, start);
      if (at < 0) mapped.push(bytes[start]);
      else for (let i = at; this.#texts[i] > 0; i++) mapped.push(this.#texts[i]);
      start = end;
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(mapped));
  }

  /**
   * Where the replacement of the longest text at `start` begins, or −1, and where that text ends.
   * @param {Uint8Array} bytes
   * @param {number} start
   */
  #longest(bytes, start) {
    const units = this.#units;
    const found = { at: -1, end: start + 1 };
    let at = units.length > 0 ? offset(units[0]) : 0;
    for (let i = start; i < bytes.length; i++) {
      at = (at ^ bytes[i]) >>> 0;
      if (at >= units.length || (units[at] & (VALUE | 0xff)) !== bytes[i]) break;
      const ends = units[at] & 0x100;
      at = (at ^ offset(units[at])) >>> 0;
      if (ends && at < units.length) {
        found.at = units[at] % VALUE;
        found.end = i + 1;
      }
    }
    return found;
  }
}

/**
 * To the children of a unit.
 * @param {number} unit
 */
function offset(unit) {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
