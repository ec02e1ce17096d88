/** Where messages are written, and the line below it that says how things go. */

/** @import { View } from '../view.js' */

import { element, fitHeight, oncePerFrame } from '../elements.js';
import { isAtEnd, isSend, toEnd } from './messages.js';

const SPOKEN = 20; // blocks of answers that stay for screen readers

export class Composer {
  /**
   * @param {View} view
   * @param {{ send: (text: string) => void, stop: () => void }} actions
   */
  constructor(view, { send, stop }) {
    this.view = view;
    this.form = element('composer', HTMLFormElement);
    this.box = element('ask', HTMLTextAreaElement);
    this.status = element('status', HTMLElement);
    this.rate = element('rate', HTMLElement);
    this.undo = element('undo', HTMLButtonElement);
    this.spoken = element('spoken', HTMLElement);
    this.down = element('to-end', HTMLButtonElement);
    this.pace = '';
    this.drawPace = oncePerFrame(() => {
      this.rate.textContent = this.pace;
    });
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      send(this.box.value);
    });
    this.box.addEventListener('input', () => fitHeight(this.box));
    this.box.addEventListener('keydown', (event) => {
      if (!isSend(event)) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    element('stop', HTMLButtonElement).addEventListener('click', stop);
    this.down.addEventListener('click', toEnd);
    this.listen(stop);
  }

  /** @param {() => void} stop */
  listen(stop) {
    document.addEventListener('keydown', ({ key }) => {
      const covered = document.querySelector(':popover-open'); // Escape is for what is on top
      if (key === 'Escape' && !covered && this.view.state === 'generating') stop();
    });
    const scrolled = oncePerFrame(() => {
      this.down.hidden = isAtEnd();
    });
    document.addEventListener('scroll', scrolled, { passive: true });
    new ResizeObserver(scrolled).observe(document.body);
  }

  focus() {
    this.box.focus();
  }

  clear() {
    this.box.value = '';
    fitHeight(this.box);
    this.spoken.replaceChildren();
  }

  /** @param {string} status */
  say(status) {
    this.status.textContent = status;
    this.undo.hidden = true;
  }

  /** @param {string} pace */
  showPace(pace) {
    this.pace = pace;
    this.drawPace();
  }

  /**
   * Tells screen readers a part of an answer.
   *
   * @param {string} text
   */
  speak(text) {
    const part = document.createElement('p');
    part.textContent = text;
    this.spoken.append(part);
    while (this.spoken.childElementCount > SPOKEN) this.spoken.firstChild?.remove();
  }

  /**
   * Says what was done, with a button that undoes it.
   *
   * @param {string} status
   * @param {() => void} undo
   */
  offer(status, undo) {
    this.say(status);
    this.undo.hidden = false;
    this.undo.onclick = () => {
      this.say('');
      undo();
    };
  }
}
