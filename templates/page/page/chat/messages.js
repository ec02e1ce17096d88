/** The messages of a conversation as they are seen. */

/** @import { Message } from './history.js' */

import { create, fitHeight, iconButton, oncePerFrame } from '../elements.js';
import { inert } from '../inert.js';
import { Growing } from '../markdown/growing.js';

/** Pixels from the end of the page within which a reader is taken to follow it. */
const NEAR_END = 80;

const END = 'The model no longer sees what is above.';

export class Messages {
  /**
   * @param {HTMLElement} place
   * @param {(action: string, index: number, button: HTMLButtonElement) => void} onAction
   */
  constructor(place, onAction) {
    this.place = place;
    place.addEventListener('click', ({ target }) => {
      const button = target instanceof Element ? target.closest('button') : null;
      const article = button?.closest('article');
      const action = button?.dataset.action;
      if (button && article && action) onAction(action, this.articles.indexOf(article), button);
    });
  }

  get articles() {
    return [...this.place.querySelectorAll('article')];
  }

  /** @param {Message[]} messages */
  show(messages) {
    this.place.replaceChildren(...messages.map(article));
    this.place.hidden = messages.length === 0;
  }

  /** @param {Message} message */
  add(message) {
    this.place.append(article(message));
    this.place.hidden = false;
    toEnd();
  }

  /**
   * Marks the message from which on the model sees the conversation.
   *
   * @param {number} index 0: it sees all of it
   */
  markSeen(index) {
    this.place.querySelector('.seen')?.remove();
    if (index === 0) return;
    const line = create('p', END);
    line.className = 'seen quiet';
    this.articles[index]?.before(line);
  }

  /**
   * An answer that is still being written.
   *
   * @param {(text: string) => void} onFinished told of each block that is finished
   */
  writing(onFinished) {
    const made = article({ role: 'assistant', content: '' });
    made.classList.add('writing');
    this.place.append(made);
    this.place.hidden = false;
    toEnd();
    const body = /** @type {HTMLElement} */ (made.querySelector('.body'));
    const growing = new Growing(body, onFinished);
    let text = '';
    let ended = false;
    const draw = oncePerFrame(() => {
      if (ended) return;
      const follows = isAtEnd();
      growing.show(text);
      if (follows) toEnd();
    });
    return {
      /** @param {string} piece */
      append(piece) {
        text += piece;
        draw();
      },
      /** @param {string} note */
      end(note) {
        ended = true;
        const follows = isAtEnd();
        growing.show(text);
        growing.end();
        made.classList.remove('writing');
        setNote(made, note);
        if (follows) toEnd();
        return text;
      },
    };
  }

  /**
   * A box in place of a message.
   *
   * @param {number} index
   * @param {string} text
   * @param {(text: string) => void} onSend
   */
  edit(index, text, onSend) {
    const edited = this.articles[index];
    const form = create('form');
    const box = create('textarea', text);
    box.ariaLabel = 'Message';
    box.dir = 'auto';
    const send = create('button', 'Send');
    send.className = 'primary';
    const cancel = create('button', 'Cancel');
    cancel.type = 'button';
    const row = create('div');
    row.className = 'row';
    row.append(send, cancel);
    form.append(box, row);
    const whole = [...edited.children];
    const close = () => {
      edited.replaceChildren(...whole);
      /** @type {HTMLElement | null} */ (edited.querySelector('[data-action=edit]'))?.focus();
    };
    cancel.addEventListener('click', close);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (box.value.trim()) onSend(box.value);
    });
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        close();
      }
      if (event.target === box && isSend(event)) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    box.addEventListener('input', () => fitHeight(box));
    edited.replaceChildren(form);
    fitHeight(box);
    box.focus();
  }
}

/** @param {KeyboardEvent} event @returns {boolean} whether it sends what is in a box */
export function isSend({ key, shiftKey, isComposing }) {
  return key === 'Enter' && !shiftKey && !isComposing;
}

/** @param {Message} message */
function article({ role, content, note = '' }) {
  const made = create('article');
  made.className = role;
  const title = create('h2', role === 'user' ? 'You' : 'Model');
  title.className = 'unseen';
  const body = create('div');
  body.className = 'body';
  body.dir = 'auto';
  if (role === 'user') body.textContent = inert(content);
  else new Growing(body).show(content);
  const actions = create('div');
  actions.className = 'actions';
  actions.append(
    iconButton('copy', role === 'user' ? 'Copy the message' : 'Copy the answer'),
    role === 'user'
      ? iconButton('edit', 'Edit the message')
      : iconButton('again', 'Answer once more'),
    create('span'),
  );
  made.append(title, body, actions);
  setNote(made, note);
  return made;
}

/** @param {HTMLElement} made @param {string} note */
function setNote(made, note) {
  const place = made.querySelector('.actions span');
  if (place) place.textContent = note;
}

/** @returns {boolean} whether the reader sees the end of the page */
export function isAtEnd() {
  const { scrollHeight, scrollTop, clientHeight } = document.documentElement;
  return scrollHeight - scrollTop - clientHeight < NEAR_END;
}

export function toEnd() {
  document.documentElement.scrollTop = document.documentElement.scrollHeight;
}
