/**
 * What JSON is made of, as nodes: white space, strings, numbers, lists, and any value at all.
 *
 * White space is what models like and no more: a space or nothing after a colon; a space, nothing, or
 * a line break with bounded indentation around what brackets hold. So no model goes on with it forever.
 *
 * @import { Node, Nodes } from './nodes.js'
 */

import { complement, jsonCharacter } from './utf8.js';

const INDENT = 32;
const TABS = 8;
/**
 * Digits: integers stay what a double holds exactly, nearly. Numbers have as many as JavaScript writes
 * without an exponent: below 10²¹, and from 10⁻⁶ on, where 17 that count may follow five zeros.
 */
const INTEGER_DIGITS = 16;
const NUMBER_DIGITS = 21;
const FRACTION_DIGITS = 22;

export class Values {
  #nodes;

  /** @param {Nodes} nodes */
  constructor(nodes) {
    this.#nodes = nodes;
    const n = nodes;
    this.digit = n.chars('0123456789');
    this.nonzero = n.chars('123456789');
    this.gap = n.optional(' ');
    this.space = n.alt(
      this.gap,
      n.seq('\n', n.alt(n.rep(' ', 0, INDENT), n.rep('\t', 1, TABS))),
    );
    this.comma = n.seq(',', this.space);
    this.character = this.#character();
    this.string = this.stringOf(n.rep(this.character, 0, Infinity));
    this.boolean = n.alt('true', 'false');
    this.null = n.text('null');
    this.integer = this.#integer();
    this.number = this.#number();
    this.any = n.ref();
    this.list = this.brackets('[]', this.joined([], this.any, 0, Infinity));
    this.record = this.brackets(
      '{}',
      this.joined([], this.pair(this.string, this.any), 0, Infinity),
    );
    const { string, number, list, record } = this;
    this.any.target = n.alt(string, number, list, record, this.boolean, this.null);
  }

  /** @param {Node} content */
  stringOf(content) {
    return this.#nodes.seq('"', content, '"');
  }

  /** @param {Node | string} key with its quotes @param {Node} value */
  pair(key, value) {
    return this.#nodes.seq(key, ':', this.gap, value);
  }

  /**
   * @param {string} marks both brackets
   * @param {{ some: Node | null, none: boolean }} content
   */
  brackets(marks, { some, none }) {
    const n = this.#nodes;
    const parts = none ? [n.text(marks)] : [];
    if (some !== null) parts.push(n.seq(marks[0], this.space, some, this.space, marks[1]));
    return n.alt(...parts);
  }

  /**
   * From `min` to `max` items with commas between: the first ones each of its own kind.
   *
   * @param {Node[]} first
   * @param {Node | null} more what follows them; null: nothing
   * @param {number} min
   * @param {number} max
   * @returns {{ some: Node | null, none: boolean }} one item or more; whether there may be none
   */
  joined(first, more, min, max) {
    const n = this.#nodes;
    const most = more === null ? Math.min(max, first.length) : max;
    if (most < Math.max(min, 1)) return { some: null, none: min <= 0 && max >= 0 };
    const head = Math.max(1, Math.min(first.length, most));
    let rest = more === null || most <= head
      ? n.empty
      : n.rep(n.seq(this.comma, more), Math.max(0, min - head), most - head);
    for (let i = head - 1; i > 0; i--) {
      const longer = n.seq(this.comma, first[i], rest);
      rest = min > i ? longer : n.optional(longer);
    }
    const item = /** @type {Node} */ (first[0] ?? more);
    return { some: n.seq(item, rest), none: min <= 0 };
  }

  /** One character of a string, in any way that JSON allows, but never half a surrogate pair. */
  #character() {
    const n = this.#nodes;
    const hex = n.chars('0123456789abcdefABCDEF');
    const d = n.chars('dD');
    const low = n.seq('\\u', d, n.chars('cdefCDEF'), hex, hex);
    const unicode = n.alt(
      n.seq(n.chars('0123456789abcefABCEF'), hex, hex, hex),
      n.seq(d, n.chars('01234567'), hex, hex),
      n.seq(d, n.chars('89abAB'), hex, hex, low),
    );
    const short = n.chars('"\\/bfnrt');
    const plain = jsonCharacter(n, complement([[0, 0x1f], [0x22, 0x22], [0x5c, 0x5c]]));
    return n.alt(plain, n.seq('\\', n.alt(short, n.seq('u', unicode))));
  }

  #integer() {
    const n = this.#nodes;
    const digits = n.seq(this.nonzero, n.rep(this.digit, 0, INTEGER_DIGITS - 1));
    return n.alt('0', n.seq(n.optional('-'), digits));
  }

  /**
   * Every double below 10³⁰⁸ as JavaScript writes it, and more. Exponents only with one digit before
   * the point, and small enough to stay finite; negative ones may end at 0.
   */
  #number() {
    const n = this.#nodes;
    const { digit, nonzero } = this;
    const fraction = n.optional(n.seq('.', n.rep(digit, 1, FRACTION_DIGITS)));
    const short = n.rep(digit, 1, 2);
    const large = n.alt(n.seq(n.chars('12'), digit, digit), n.seq('30', n.chars('01234567')));
    const small = n.seq(n.chars('123'), digit, digit);
    const exponent = n.alt(
      n.seq(n.optional(n.chars('+-')), short),
      n.seq(n.optional('+'), large),
      n.seq('-', small),
    );
    return n.seq(
      n.optional('-'),
      n.alt(
        n.seq(n.alt('0', n.seq(nonzero, n.rep(digit, 0, NUMBER_DIGITS - 1))), fraction),
        n.seq(nonzero, fraction, n.chars('eE'), exponent),
      ),
    );
  }
}
