/**
 * The text: a box to write its beginning in, and what becomes of it, the model's part in another
 * colour. New text is appended as text nodes, once per frame.
 */

import { create, oncePerFrame } from './elements.js';
import { inert } from './inert.js';

/** Pixels from the end within which a reader is taken to follow it. */
const NEAR_END = 32;

/** The two faces of the text; the page shows the one or the other. */
export class Sheet {
  /**
   * @param {HTMLTextAreaElement} box
   * @param {HTMLElement} output
   */
  constructor(box, output) {
    this.box = box;
    this.output = output;
    this.machine = create('span');
    this.shown = '';
    this.waiting = '';
    this.draw = oncePerFrame(() => this.flush());
  }

  /** All of the text, the writer's and the model's. */
  get text() {
    return this.shown + this.waiting;
  }

  /**
   * Shows `prompt`, to be followed by the model's text.
   *
   * @param {string} prompt
   */
  begin(prompt) {
    this.machine = create('span');
    this.machine.className = 'machine';
    this.output.replaceChildren(inert(prompt), this.machine);
    this.shown = prompt;
    this.waiting = '';
    this.output.scrollTop = this.output.scrollHeight;
  }

  /** @param {string} piece of the model's text */
  append(piece) {
    this.waiting += piece;
    this.draw();
  }

  /** Shows what has come. The view follows only a reader who is at the end. */
  flush() {
    if (!this.waiting) return;
    const { scrollHeight, scrollTop, clientHeight } = this.output;
    const follows = scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.machine.append(inert(this.waiting));
    this.shown += this.waiting;
    this.waiting = '';
    if (follows) this.output.scrollTop = this.output.scrollHeight;
  }

  /**
   * Puts a text into the box.
   *
   * @param {string} text
   */
  write(text) {
    this.box.value = text;
    this.box.setSelectionRange(text.length, text.length);
    this.box.scrollTop = this.box.scrollHeight;
  }
}
