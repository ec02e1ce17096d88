/** The list of conversations: open, rename, delete. */

/** @import { Conversation } from './history.js' */

import { create, element, iconButton } from '../elements.js';
import { inertLine } from '../inert.js';

/**
 * @typedef {object} Actions
 * @property {(id: string) => void} open
 * @property {(id: string, title: string) => void} rename
 * @property {(id: string) => void} remove
 */

export class ConversationList {
  /** @param {Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.place = element('chat-list', HTMLElement);
  }

  /**
   * @param {Conversation[]} conversations
   * @param {string} current id of the one that is shown
   */
  show(conversations, current) {
    const focused = document.activeElement;
    const row = focused?.closest('li');
    if (row && focused instanceof HTMLInputElement) return; // somebody writes a new title
    const at = row && focused ? [...row.children].indexOf(focused) : -1;
    const rows = conversations.map(({ id, title }) => this.row(id, title, id === current));
    this.place.replaceChildren(...rows);
    const same = rows.find(({ dataset }) => dataset.id === row?.dataset.id)?.children[at];
    if (same instanceof HTMLElement) same.focus();
  }

  /** @param {string} id @param {string} title @param {boolean} isCurrent */
  row(id, title, isCurrent) {
    const row = create('li');
    row.dataset.id = id;
    const open = create('button', title);
    open.type = 'button';
    open.title = title;
    open.dir = 'auto';
    if (isCurrent) open.ariaCurrent = 'true';
    open.addEventListener('click', () => this.actions.open(id));
    const rename = iconButton('edit', `Rename “${title}”`);
    rename.addEventListener('click', () => this.rename(id, open, rename));
    const remove = iconButton('delete', `Delete “${title}”`);
    remove.addEventListener('click', () => this.actions.remove(id));
    row.append(open, rename, remove);
    return row;
  }

  /**
   * A box in place of the title; Enter or leaving it takes its text, Escape the old one.
   *
   * @param {string} id
   * @param {HTMLButtonElement} open
   * @param {HTMLButtonElement} rename
   */
  rename(id, open, rename) {
    const old = open.textContent ?? '';
    const box = create('input');
    box.value = old;
    box.ariaLabel = 'Title';
    let ended = false;
    const end = (/** @type {string} */ title) => {
      if (ended) return;
      ended = true;
      box.replaceWith(open);
      rename.focus();
      if (title && title !== old) this.actions.rename(id, title);
    };
    box.addEventListener('blur', () => end(inertLine(box.value)));
    box.addEventListener('keydown', (event) => {
      const enters = event.key === 'Enter' && !event.isComposing;
      if (!enters && event.key !== 'Escape') return;
      event.preventDefault(); // neither presses the button that gets the focus nor closes the list
      end(enters ? inertLine(box.value) : old);
    });
    open.replaceWith(box);
    box.select();
  }
}
