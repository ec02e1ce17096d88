/** Tables of Markdown: a row, a row of dashes that says how columns are aligned, and more rows. */

/** @import { Table } from './blocks.js' */

/** @type {Record<string, string>} by the colons of a cell of dashes */
const ALIGN = { '': '', ':': 'start', '::': 'center', ' :': 'end' };

/**
 * @param {string[]} lines
 * @param {number} at
 */
export function startsTable(lines, at) {
  const dashes = lines[at + 1] ?? '';
  if (!lines[at].includes('|') || !/^[\s|:-]+$/.test(dashes)) return false;
  const cells = cellsOf(dashes);
  return cells.every((cell) => /^:?-+:?$/.test(cell)) && cells.length === cellsOf(lines[at]).length;
}

/**
 * @param {string[]} lines
 * @param {number} at
 * @returns {{ block: Table, next: number }}
 */
export function readTable(lines, at) {
  const rows = [cellsOf(lines[at])];
  let next = at + 2;
  for (; next < lines.length && lines[next].includes('|'); next += 1) {
    const cells = cellsOf(lines[next]);
    rows.push(rows[0].map((_, column) => cells[column] ?? ''));
  }
  const align = cellsOf(lines[at + 1]).map((cell) => {
    const [left, right] = [cell.startsWith(':') ? ':' : '', cell.endsWith(':') ? ':' : ''];
    return ALIGN[right && !left ? ' :' : left + right];
  });
  return { block: { kind: 'table', line: at, align, rows }, next };
}

/** @param {string} line @returns {string[]} */
function cellsOf(line) {
  const cells = line.trim().split(/(?<!\\)\|/);
  if (cells[0].trim() === '') cells.shift();
  if (cells.length > 0 && cells[cells.length - 1].trim() === '') cells.pop();
  return cells.map((cell) => cell.trim().replaceAll('\\|', '|'));
}
