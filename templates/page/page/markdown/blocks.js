/**
 * Markdown → blocks: headings, paragraphs, fenced code, quotes, lists, tables and rules. A subset
 * of GitHub's (https://github.github.com/gfm/) as chat models write it; what is not in it, HTML
 * too, is text. Time is linear in the text, nesting is bounded.
 */

import { listItem, readList } from './lists.js';
import { readTable, startsTable } from './tables.js';

/**
 * `line`: the line it begins in.
 *
 * @typedef {{ kind: 'paragraph', line: number, text: string }} Paragraph
 * @typedef {{ kind: 'heading', line: number, level: number, text: string }} Heading
 * @typedef {{ kind: 'code', line: number, language: string, text: string }} Code
 * @typedef {{ kind: 'rule', line: number }} Rule
 * @typedef {{ kind: 'quote', line: number, blocks: Block[] }} Quote
 * @typedef {{ kind: 'list', line: number, start: number | null, items: Block[][] }} List
 *   `start`: number of the first item, or null
 * @typedef {{ kind: 'table', line: number, align: string[], rows: string[][] }} Table
 *   the first row is the head
 * @typedef {Paragraph | Heading | Code | Rule | Quote | List | Table} Block
 */

const DEEPEST = 12;

/**
 * @param {string} text
 * @returns {Block[]}
 */
export function parseBlocks(text) {
  return blocksOf(text.split('\n'), 0);
}

/**
 * How much of a growing text cannot change any more: all blocks before one that begins far enough
 * from the end, for what is still to come cannot change where that one begins.
 *
 * @param {Block[]} blocks of the text
 * @param {string} text
 * @returns {{ count: number, length: number }} blocks that are finished, and how much text they are
 */
export function finished(blocks, text) {
  const lines = text.split('\n');
  const count = blocks.findLastIndex(({ line }) => line < lines.length - 2); // as tables need two
  if (count <= 0) return { count: 0, length: 0 };
  const before = lines.slice(0, blocks[count].line);
  return { count, length: before.reduce((sum, { length }) => sum + length + 1, 0) };
}

/**
 * @param {string[]} lines
 * @param {number} depth
 * @returns {Block[]}
 */
export function blocksOf(lines, depth) {
  /** @type {Block[]} */
  const blocks = [];
  for (let at = 0; at < lines.length;) {
    if (lines[at].trim() === '') {
      at += 1;
      continue;
    }
    const { block, next } = readBlock(lines, at, depth);
    blocks.push(block);
    at = next;
  }
  return blocks;
}

/**
 * @param {string[]} lines
 * @param {number} at a line that is not blank
 * @param {number} depth
 * @returns {{ block: Block, next: number }}
 */
function readBlock(lines, at, depth) {
  const line = lines[at];
  if (isFence(line)) return readCode(lines, at);
  if (isRule(line)) return { block: { kind: 'rule', line: at }, next: at + 1 };
  const heading = /^ {0,3}(#{1,6})(?=\s|$)/.exec(line);
  if (heading) {
    const text = line.slice(heading[0].length).trim().replace(/(^|\s)#+$/, '').trim();
    return { block: { kind: 'heading', line: at, level: heading[1].length, text }, next: at + 1 };
  }
  if (depth < DEEPEST) {
    if (isQuote(line)) return readQuote(lines, at, depth);
    if (listItem(line)) return readList(lines, at, depth);
  }
  if (startsTable(lines, at)) return readTable(lines, at);
  return readParagraph(lines, at, depth);
}

/** @param {string[]} lines @param {number} at @param {number} depth */
function readParagraph(lines, at, depth) {
  let next = at + 1;
  while (next < lines.length && lines[next].trim() !== '' && !interrupts(lines, next, depth)) {
    next += 1;
  }
  const text = lines.slice(at, next).map((line) => line.trim()).join('\n');
  return { block: /** @type {Paragraph} */ ({ kind: 'paragraph', line: at, text }), next };
}

/**
 * Whether a paragraph ends before this line, though it is not blank.
 *
 * @param {string[]} lines
 * @param {number} at
 * @param {number} depth
 */
export function interrupts(lines, at, depth) {
  const line = lines[at];
  if (isFence(line) || isRule(line) || /^ {0,3}#{1,6}(\s|$)/.test(line)) return true;
  if (startsTable(lines, at)) return true;
  const item = depth < DEEPEST ? listItem(line) : null;
  if (item) return item.text !== '' && (item.number === null || item.number === 1);
  return depth < DEEPEST && isQuote(line);
}

/** @param {string} line */
function isQuote(line) {
  return /^ {0,3}>/.test(line);
}

/** @param {string} line */
function isRule(line) {
  return /^([-*_])\1{2,}$/.test(line.replace(/[ \t]/g, ''));
}

/** @param {string} line */
function isFence(line) {
  return /^ *(`{3,}[^`]*|~{3,}.*)$/.test(line);
}

/** @param {string[]} lines @param {number} at */
function readCode(lines, at) {
  const line = lines[at];
  const indent = line.search(/[`~]/);
  const [mark] = /** @type {RegExpExecArray} */ (/`+|~+/.exec(line));
  let end = at + 1;
  while (end < lines.length && !closes(lines[end], mark)) end += 1;
  const text = lines.slice(at + 1, end).map((each) => unindent(each, indent)).join('\n');
  const language = line.slice(indent + mark.length).trim().split(/\s/)[0];
  return { block: /** @type {Code} */ ({ kind: 'code', line: at, language, text }), next: end + 1 };
}

/** @param {string} line @param {string} mark */
function closes(line, mark) {
  const text = line.trim();
  return text.startsWith(mark) && text === mark[0].repeat(text.length);
}

/** @param {string[]} lines @param {number} at @param {number} depth */
function readQuote(lines, at, depth) {
  let next = at;
  const inner = [];
  while (next < lines.length && isQuote(lines[next])) {
    inner.push(lines[next].replace(/^ *> ?/, ''));
    next += 1;
  }
  const blocks = blocksOf(inner, depth + 1);
  return { block: /** @type {Quote} */ ({ kind: 'quote', line: at, blocks }), next };
}

/**
 * The line without up to `most` spaces at its beginning.
 *
 * @param {string} line
 * @param {number} most
 */
export function unindent(line, most) {
  let count = 0;
  while (count < most && line[count] === ' ') count += 1;
  return line.slice(count);
}
