/**
 * A regular expression of ECMA-262 → what JSON strings that it finds something in consist of.
 *
 * Read as with the flag `u`: characters are code points. Without `^` or `$` anything may stand before
 * or after. What a generator of text has no use for (look-around, back references, `\b`), and anchors
 * inside of a pattern, are refused.
 *
 * @import { Node, Nodes } from './nodes.js'
 * @import { Range } from './utf8.js'
 */

import { complement, jsonCharacter, LAST, union } from './utf8.js';

const MOST_PARTS = 2000; // with each repetition written out as often as it may occur

/** @type {Range[]} */
const DIGITS = [[48, 57]];
/** @type {Range[]} */
const WORDS = [[48, 57], [65, 90], [95, 95], [97, 122]];
/** @type {Range[]} */
const SPACES = [
  [9, 13],
  [32, 32],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
/** @type {Range[]} */
const LINE_ENDS = [[10, 10], [13, 13], [0x2028, 0x2029]];
/** @type {Record<string, Range[]>} */
const CLASSES = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORDS,
  W: complement(WORDS),
  s: SPACES,
  S: complement(SPACES),
};
/** @type {Record<string, number>} */
const CONTROLS = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };

/**
 * @param {Nodes} nodes
 * @param {string} pattern
 * @returns {Node} the content of a string, between its quotes
 * @throws {PatternError}
 */
export function patternNode(nodes, pattern) {
  const reader = new Reader(nodes, pattern);
  const node = reader.alternatives(true);
  if (reader.more) throw reader.error('has ) without (');
  return node;
}

/** What is wrong with a pattern, as the end of a sentence about it. */
export class PatternError extends Error {}

class Reader {
  #nodes;
  #characters;
  #at = 0;
  #parts = 0;

  /** @param {Nodes} nodes @param {string} pattern */
  constructor(nodes, pattern) {
    this.#nodes = nodes;
    this.#characters = [...pattern];
    this.anything = nodes.rep(jsonCharacter(nodes, [[0, LAST]]), 0, Infinity);
  }

  get more() {
    return this.#at < this.#characters.length;
  }

  /** @param {string} what */
  error(what) {
    return new PatternError(`${what} (at character ${this.#at})`);
  }

  /** @param {string} text @returns {boolean} whether it came next; it is then behind */
  #skip(text) {
    const found = this.#characters.slice(this.#at, this.#at + text.length).join('') === text;
    if (found) this.#at += text.length;
    return found;
  }

  /** @param {boolean} outer not in a group: what is not anchored may stand anywhere */
  alternatives(outer) {
    const parts = [this.#sequence(outer)];
    while (this.#skip('|')) parts.push(this.#sequence(outer));
    return this.#nodes.alt(...parts);
  }

  /** @param {boolean} outer */
  #sequence(outer) {
    const parts = outer && !this.#skip('^') ? [this.anything] : [];
    while (this.more && !'|)'.includes(this.#characters[this.#at])) {
      if (outer && this.#skip('$')) {
        if (this.more && this.#characters[this.#at] !== '|') throw this.error('goes on after $');
        return this.#nodes.seq(...parts);
      }
      parts.push(this.#term());
    }
    return this.#nodes.seq(...parts, ...(outer ? [this.anything] : []));
  }

  #term() {
    const before = this.#parts;
    this.#parts = 0;
    const atom = this.#atom();
    const [min, max] = this.#quantifier();
    const times = Math.max(1, max === Infinity ? min : max);
    this.#parts = before + Math.max(1, this.#parts) * times;
    if (this.#parts > MOST_PARTS) throw this.error(`has more than ${MOST_PARTS} repetitions`);
    return this.#nodes.rep(atom, min, max);
  }

  /** @returns {[number, number]} */
  #quantifier() {
    /** @type {[number, number]} */
    let range = [1, 1];
    if (this.#skip('*')) range = [0, Infinity];
    else if (this.#skip('+')) range = [1, Infinity];
    else if (this.#skip('?')) range = [0, 1];
    else if (this.#skip('{')) {
      const min = this.#number();
      const max = this.#skip(',')
        ? (this.#characters[this.#at] === '}' ? Infinity : this.#number())
        : min;
      if (!this.#skip('}') || max < min) throw this.error('has a malformed {}');
      range = [min, max];
    } else return range;
    this.#skip('?'); // lazy: the same texts
    if (this.more && '*+?{'.includes(this.#characters[this.#at])) {
      throw this.error('repeats a repetition');
    }
    return range;
  }

  #number() {
    let digits = '';
    while (/^[0-9]$/.test(this.#characters[this.#at] ?? '')) digits += this.#characters[this.#at++];
    if (digits === '') throw this.error('has a malformed {}');
    return Number(digits);
  }

  /** @returns {Node} */
  #atom() {
    if (this.#skip('(')) {
      if (this.#skip('?') && !this.#skip(':')) this.#groupName();
      const node = this.alternatives(false);
      if (!this.#skip(')')) throw this.error('has ( without )');
      return node;
    }
    if (this.#skip('.')) return jsonCharacter(this.#nodes, complement(LINE_ENDS));
    if (this.#skip('[')) return jsonCharacter(this.#nodes, this.#class());
    if (this.#skip('\\')) return jsonCharacter(this.#nodes, this.#escape(false));
    const character = this.#characters[this.#at];
    if ('^$'.includes(character)) {
      throw this.error(`has ${character} inside, which is not supported`);
    }
    if ('*+?{}]'.includes(character)) {
      throw this.error(`has ${character} without what it belongs to`);
    }
    return jsonCharacter(this.#nodes, [this.#code()]);
  }

  #groupName() {
    const name = /^<([\p{L}_$][\p{L}\d_$]*)>/u.exec(this.#characters.slice(this.#at).join(''));
    if (name === null) throw this.error('has a look-around, which is not supported');
    this.#at += [...name[0]].length;
  }

  /** The next character as it is. @returns {Range} */
  #code() {
    const code = /** @type {number} */ (this.#characters[this.#at++].codePointAt(0));
    return [code, code];
  }

  #class() {
    const negated = this.#skip('^');
    /** @type {Range[]} */
    const ranges = [];
    while (!this.#skip(']')) {
      const first = this.#classAtom();
      if (this.#characters[this.#at] !== '-' || this.#characters[this.#at + 1] === ']') {
        ranges.push(...first);
        continue;
      }
      this.#at += 1;
      const last = this.#classAtom();
      const [from, to] = [first[0][0], last[0][1]];
      if (!isOne(first) || !isOne(last) || from > to) throw this.error('has a malformed range');
      ranges.push([from, to]);
    }
    return negated ? complement(ranges) : union(ranges);
  }

  /** @returns {Range[]} */
  #classAtom() {
    if (!this.more) throw this.error('has [ without ]');
    return this.#skip('\\') ? this.#escape(true) : [this.#code()];
  }

  /** @param {boolean} inClass @returns {Range[]} */
  #escape(inClass) {
    if (!this.more) throw this.error('ends with \\');
    const letter = this.#characters[this.#at++];
    if (Object.hasOwn(CLASSES, letter)) return CLASSES[letter];
    let code = Object.hasOwn(CONTROLS, letter) ? CONTROLS[letter] : -1;
    if (letter === 'x') code = this.#hex(/^[0-9a-fA-F]{2}/);
    else if (letter === 'u') code = this.#unicode();
    else if (letter === 'b' && inClass) code = 8;
    else if (!/[\p{L}\p{N}]/u.test(letter)) code = letter.codePointAt(0) ?? -1;
    if (code < 0 || (letter === '0' && /^[0-9]$/.test(this.#characters[this.#at] ?? ''))) {
      throw this.error(`has \\${letter}, which is not supported`);
    }
    return [[code, code]];
  }

  #unicode() {
    if (this.#characters[this.#at] === '{') {
      const code = this.#hex(/^\{0*[0-9a-fA-F]{1,6}\}/);
      if (code > LAST) throw this.error('has a \\u beyond Unicode');
      return code;
    }
    const high = this.#hex(/^[0-9a-fA-F]{4}/);
    if (high >> 10 !== 0x36 || !this.#skip('\\u')) return high;
    const low = this.#hex(/^[0-9a-fA-F]{4}/);
    if (low >> 10 !== 0x37) throw this.error('has half a surrogate pair');
    return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
  }

  /** @param {RegExp} form */
  #hex(form) {
    const found = form.exec(this.#characters.slice(this.#at, this.#at + 24).join(''));
    if (found === null) throw this.error('has a malformed escape');
    this.#at += found[0].length;
    return parseInt(found[0].replace('{', ''), 16);
  }
}

/** @param {Range[]} ranges */
function isOne(ranges) {
  return ranges.length === 1 && ranges[0][0] === ranges[0][1];
}
