/**
 * The text of a block → emphasis, code, links and line breaks. What is not closed, or is no link to
 * http or https, stays as it was written. Time is linear in the text, nesting is bounded.
 */

import { bareLink, linkAfter } from './links.js';

/**
 * @typedef {{ kind: 'strong' | 'em' | 'del', children: Inline[] }} Emphasis
 * @typedef {{ kind: 'a', href: string, children: Inline[] }} Link
 * @typedef {{ kind: 'code', text: string }} CodeSpan
 * @typedef {{ kind: 'br' }} Break
 * @typedef {string | Emphasis | Link | CodeSpan | Break} Inline
 * @typedef {{ mark: string, count: number, at: number }} Opener characters that may begin
 *   something, as the item `at`
 */

const MOST_OPEN = 32;
const PLAIN = /(?:(?!\bhttps?:\/\/)[^\\`*_~![\]<\n])+/y;
const SPACE = /^\s?$/;
const PUNCTUATION = /[\p{P}\p{S}]/u;

/**
 * @param {string} text
 * @returns {Inline[]}
 */
export function parseInline(text) {
  return new Parser(text).parse();
}

class Parser {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.at = 0;
    /** @type {Inline[]} */
    this.items = [];
    /** @type {Opener[]} */
    this.open = [];
    /** @type {Set<number>} lengths of runs of backticks that nothing closes */
    this.unclosed = new Set();
  }

  parse() {
    const { text } = this;
    while (this.at < text.length) {
      PLAIN.lastIndex = this.at;
      const plain = PLAIN.exec(text)?.[0];
      if (plain) this.take(plain);
      else this.special(text[this.at]);
    }
    return joined(this.items);
  }

  /** @param {string} piece that stands for itself */
  take(piece) {
    this.items.push(piece);
    this.at += piece.length;
  }

  /** @param {string} char */
  special(char) {
    const { text, at } = this;
    if (char === '\n') return this.add({ kind: 'br' }, 1);
    if (char === '\\' && /^[!-/:-@[-`{-~]/.test(text.slice(at + 1, at + 2))) {
      return this.add(text[at + 1], 2);
    }
    if (char === '`') return this.code();
    if ('*_~'.includes(char)) return this.emphasis(char);
    if (char === '[') return this.begin(char, 1);
    if (char === ']') return this.endLabel();
    if (char === '!' && text[at + 1] === '[') return this.add('', 1); // an image: a link to it
    if (char === '<' && /^<br\s?\/?>/i.test(text.slice(at, at + 6))) {
      return this.add({ kind: 'br' }, text.indexOf('>', at) + 1 - at);
    }
    const link = bareLink(text, at);
    if (link) this.add({ kind: 'a', href: link.href, children: [link.href] }, link.length);
    else this.take(char);
  }

  /** @param {Inline} item @param {number} length of what it is made of */
  add(item, length) {
    this.items.push(item);
    this.at += length;
  }

  /** @param {string} mark @param {number} count */
  begin(mark, count) {
    if (this.open.length < MOST_OPEN) this.open.push({ mark, count, at: this.items.length });
    this.take(mark.repeat(count));
  }

  code() {
    const { text, at } = this;
    const length = runLength(text, at);
    const end = this.unclosed.has(length) ? -1 : closingRun(text, at + length, length);
    if (end < 0) {
      this.unclosed.add(length);
      return this.take('`'.repeat(length));
    }
    const inside = text.slice(at + length, end).replaceAll('\n', ' ');
    const padded = inside.startsWith(' ') && inside.endsWith(' ') && inside.trim() !== '';
    this.add({ kind: 'code', text: padded ? inside.slice(1, -1) : inside }, end + length - at);
  }

  /** @param {string} char */
  emphasis(char) {
    const { text, at } = this;
    let left = runLength(text, at);
    const [before, after] = [text[at - 1] ?? '', text[at + left] ?? ''];
    const opens = flanks(after, before) && (char !== '_' || !isWord(before));
    const closes = flanks(before, after) && (char !== '_' || !isWord(after));
    while (closes && left > 0) {
      const index = this.open.findLastIndex(({ mark }) => mark === char);
      const opener = this.open[index];
      if (!opener || (char === '~' && (left < 2 || opener.count < 2))) break;
      const size = Math.min(2, left, opener.count);
      this.wrap(index, opener, char === '~' ? 'del' : size === 2 ? 'strong' : 'em', size);
      left -= size;
      this.at += size;
    }
    if (left > 0 && opens) this.begin(char, left);
    else if (left > 0) this.take(char.repeat(left));
  }

  /**
   * Makes all items since an opener the children of one.
   *
   * @param {number} index
   * @param {Opener} opener
   * @param {'strong' | 'em' | 'del'} kind
   * @param {number} size
   */
  wrap(index, opener, kind, size) {
    const children = joined(this.items.splice(opener.at + 1));
    opener.count -= size;
    this.items[opener.at] = opener.mark.repeat(opener.count);
    this.items.push({ kind, children });
    this.open.length = opener.count > 0 ? index + 1 : index;
  }

  endLabel() {
    const index = this.open.findLastIndex(({ mark }) => mark === '[');
    const link = index >= 0 ? linkAfter(this.text, this.at + 1) : null;
    if (!link) {
      if (index >= 0) this.open.splice(index, 1);
      return this.take(']');
    }
    const { at } = this.open[index];
    const children = joined(this.items.splice(at).slice(1).map(unlinked).flat());
    this.open = this.open.slice(0, index).filter(({ mark }) => mark !== '[');
    this.add({ kind: 'a', href: link.href, children }, 1 + link.length);
  }
}

/** @param {Inline} item @returns {Inline[]} it, or the label of a link: links hold no links */
function unlinked(item) {
  return typeof item === 'object' && item.kind === 'a' ? item.children : [item];
}

/** @param {Inline[]} items @returns {Inline[]} with neighbouring texts in one */
function joined(items) {
  /** @type {Inline[]} */
  const result = [];
  for (const item of items) {
    const last = result.length - 1;
    if (typeof item === 'string' && typeof result[last] === 'string') result[last] += item;
    else if (item !== '') result.push(item);
  }
  return result;
}

/** @param {string} text @param {number} at @returns {number} how often its character is repeated */
function runLength(text, at) {
  let end = at + 1;
  while (text[end] === text[at]) end += 1;
  return end - at;
}

/** @param {string} text @param {number} from @param {number} length @returns {number} or -1 */
function closingRun(text, from, length) {
  for (let at = text.indexOf('`', from); at >= 0;) {
    const run = runLength(text, at);
    if (run === length) return at;
    at = text.indexOf('`', at + run);
  }
  return -1;
}

/**
 * Whether a mark between these characters touches text on the side of `near`.
 *
 * @param {string} near
 * @param {string} far
 */
function flanks(near, far) {
  if (SPACE.test(near)) return false;
  return !PUNCTUATION.test(near) || SPACE.test(far) || PUNCTUATION.test(far);
}

/** @param {string} char */
function isWord(char) {
  return /[\p{L}\p{N}]/u.test(char);
}
