/** Markdown that grows: only its last blocks are made anew, and of these only what has changed. */

import { inert } from '../inert.js';
import { finished, parseBlocks } from './blocks.js';
import { renderBlock } from './render.js';

export class Growing {
  /**
   * @param {HTMLElement} place
   * @param {(text: string) => void} [onFinished] told the text of each block that is finished
   */
  constructor(place, onFinished = () => {}) {
    this.place = place;
    this.onFinished = onFinished;
    this.count = 0;
    this.start = 0;
  }

  /**
   * Shows a text that begins with the last one that was shown.
   *
   * @param {string} text
   */
  show(text) {
    const rest = inert(text).slice(this.start);
    const blocks = parseBlocks(rest);
    blocks.forEach((block, index) => this.put(this.count + index, renderBlock(block)));
    const all = this.count + blocks.length;
    while (this.place.childNodes.length > all) this.place.lastChild?.remove();
    const { count, length } = finished(blocks, rest);
    for (let index = 0; index < count; index += 1) this.tell(this.count + index);
    this.count += count;
    this.start += length;
  }

  /** Says that no more comes. */
  end() {
    while (this.count < this.place.childNodes.length) this.tell(this.count++);
  }

  /** @param {number} index */
  tell(index) {
    this.onFinished(this.place.childNodes[index].textContent ?? '');
  }

  /** @param {number} index @param {HTMLElement} fresh */
  put(index, fresh) {
    const old = this.place.childNodes[index];
    if (!old) this.place.append(fresh);
    else become(old, fresh);
  }
}

/**
 * Changes `old` into `fresh` where they differ; what is the same stays, with the reader's selection.
 *
 * @param {ChildNode} old
 * @param {ChildNode} fresh
 */
export function become(old, fresh) {
  if (old instanceof Text && fresh instanceof Text) {
    if (fresh.data.startsWith(old.data)) old.appendData(fresh.data.slice(old.length));
    else old.data = fresh.data;
    return;
  }
  const alike = old instanceof HTMLElement && fresh instanceof HTMLElement &&
    old.cloneNode().isEqualNode(fresh.cloneNode());
  if (!alike) return old.replaceWith(fresh);
  const children = [...fresh.childNodes];
  children.forEach((child, index) => {
    const there = old.childNodes[index];
    if (there) become(there, child);
    else old.append(child);
  });
  while (old.childNodes.length > children.length) old.lastChild?.remove();
}
