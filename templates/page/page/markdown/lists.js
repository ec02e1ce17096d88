/** Lists of Markdown. Models indent nested lists by 2, 3 or 4 spaces; all of these nest. */

/** @import { Block, List } from './blocks.js' */

import { blocksOf, interrupts, unindent } from './blocks.js';

const NESTED = 2; // spaces beyond a marker that make a line part of its item

/**
 * @typedef {object} Item
 * @property {number} indent
 * @property {string} mark `-`, `*` or `+`; `.` or `)` after a number
 * @property {number | null} number
 * @property {number} width of everything before the text
 * @property {string} text
 */

/**
 * @param {string} line
 * @returns {Item | null} null when the line begins no item
 */
export function listItem(line) {
  const found = /^( {0,3})(?:([-*+])|(\d{1,9})([.)]))(?:( +)|\t|$)/.exec(line);
  if (!found) return null;
  const [all, indent, bullet, digits, after] = found;
  return {
    indent: indent.length,
    mark: bullet ?? after,
    number: digits === undefined ? null : Number(digits),
    width: all.length,
    text: line.slice(all.length),
  };
}

/**
 * @param {string[]} lines
 * @param {number} at a line that begins an item
 * @param {number} depth
 * @returns {{ block: List, next: number }}
 */
export function readList(lines, at, depth) {
  const first = /** @type {Item} */ (listItem(lines[at]));
  /** @type {Block[][]} */
  const items = [];
  let next = at;
  for (let item = listItem(lines[next]); item?.mark === first.mark;) {
    const end = endOfItem(lines, next + 1, item, depth);
    const { width } = item;
    const inner = lines.slice(next + 1, end).map((line) => unindent(line, width));
    items.push(blocksOf([checkBox(item.text), ...inner], depth + 1));
    next = end;
    item = next < lines.length ? listItem(lines[next]) : null;
  }
  return { block: { kind: 'list', line: at, start: first.number, items }, next };
}

/**
 * Blank lines belong to the item before them; one that ends a list matters to nobody.
 *
 * @param {string[]} lines
 * @param {number} from
 * @param {Item} item
 * @param {number} depth
 * @returns {number} where the next item or something else begins
 */
function endOfItem(lines, from, item, depth) {
  let at = from;
  let open = item.text.trim() !== ''; // a paragraph that the next line may go on with
  for (; at < lines.length; at += 1) {
    const line = lines[at];
    const blank = line.trim() === '';
    const inside = line.search(/\S/) >= item.indent + NESTED;
    if (!blank && !inside && (!open || listItem(line) || interrupts(lines, at, depth))) break;
    open = !blank;
  }
  return at;
}

/** @param {string} text of a task: its box as a character */
function checkBox(text) {
  return text.replace(/^\[ \] /, '☐ ').replace(/^\[[xX]\] /, '☑ ');
}
