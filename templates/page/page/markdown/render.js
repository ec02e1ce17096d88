/** Blocks of Markdown → DOM nodes. Text becomes text nodes, so nothing in it can become markup. */

/** @import { Block, Code, List, Table } from './blocks.js' */
/** @import { Inline } from './inline.js' */

import { create } from '../elements.js';
import { parseInline } from './inline.js';

/** By level; the page's own headings are of level 1 and 2. */
const HEADINGS = /** @type {const} */ (['h3', 'h3', 'h4', 'h5', 'h6', 'h6']);

/**
 * @param {Block} block
 * @returns {HTMLElement}
 */
export function renderBlock(block) {
  switch (block.kind) {
    case 'paragraph':
      return withText('p', block.text);
    case 'heading':
      return withText(HEADINGS[block.level - 1], block.text);
    case 'code':
      return renderCode(block);
    case 'quote':
      return filled('blockquote', block.blocks.map(renderBlock));
    case 'list':
      return renderList(block);
    case 'table':
      return renderTable(block);
    case 'rule':
      return create('hr');
  }
}

/**
 * @param {keyof HTMLElementTagNameMap} tag
 * @param {Node[]} children
 */
function filled(tag, children) {
  const made = create(tag);
  made.append(...children);
  return made;
}

/** @param {keyof HTMLElementTagNameMap} tag @param {string} text */
function withText(tag, text) {
  const made = filled(tag, parseInline(text).map(renderInline));
  made.dir = 'auto';
  return made;
}

/** @param {Inline} item @returns {Node} */
function renderInline(item) {
  if (typeof item === 'string') return document.createTextNode(item);
  if (item.kind === 'br') return create('br');
  if (item.kind === 'code') return create('code', item.text);
  const made = filled(item.kind, item.children.map(renderInline));
  if (item.kind === 'a' && made instanceof HTMLAnchorElement) {
    made.href = made.title = item.href; // so that a label cannot hide where it leads
    made.rel = 'noopener noreferrer nofollow';
    made.target = '_blank';
  }
  return made;
}

/** @param {Code} block */
function renderCode({ language, text }) {
  const copy = create('button', 'Copy');
  copy.type = 'button';
  copy.dataset.action = 'copy-code';
  const pre = filled('pre', [create('code', text)]);
  pre.tabIndex = 0; // it may scroll
  pre.dir = 'ltr';
  const head = filled('figcaption', [create('span', language.slice(0, 30) || 'text'), copy]);
  return filled('figure', [head, pre]);
}

/** @param {List} block */
function renderList({ start, items }) {
  const made = filled(start === null ? 'ul' : 'ol', items.map(renderItem));
  if (made instanceof HTMLOListElement && start !== null && start !== 1) made.start = start;
  return made;
}

/** @param {Block[]} blocks @returns {HTMLElement} */
function renderItem(blocks) {
  const item = filled('li', blocks.map(renderBlock));
  item.dir = 'auto';
  return item;
}

/** @param {Table} block */
function renderTable({ align, rows }) {
  const [head, ...body] = rows.map((cells, row) =>
    filled(
      'tr',
      cells.map((text, column) => {
        const cell = withText(row === 0 ? 'th' : 'td', text);
        if (align[column]) cell.className = `to-${align[column]}`;
        return cell;
      }),
    )
  );
  const table = filled('table', [filled('thead', [head]), filled('tbody', body)]);
  const frame = filled('div', [table]);
  frame.className = 'table';
  frame.tabIndex = 0; // it may scroll
  return frame;
}
