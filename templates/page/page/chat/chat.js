/** Talking with a loaded model: the conversation, its history, and what people do with them. */

/** @import { Engine } from '../../mdst.d.ts' */
/** @import { Failure } from '../failure.js' */
/** @import { Panel } from '../panel.js' */
/** @import { View } from '../view.js' */
/** @import { Conversation, Message } from './history.js' */

import { engineSurvives } from '../advice.js';
import { element } from '../elements.js';
import { codeOf } from '../failure.js';
import { inertLine } from '../inert.js';
import { readSettings, systemPrompt } from '../settings.js';
import { keep, recall } from '../stored.js';
import { answer, noteOf } from './answer.js';
import { Composer } from './composer.js';
import { copyText } from './copy.js';
import { History } from './history.js';
import { ConversationList } from './list.js';
import { Messages } from './messages.js';

export class Chat {
  /**
   * @param {View} view
   * @param {Failure} failure
   * @param {Panel} panel
   * @param {() => void} reload loads the model again and calls `take`
   */
  constructor(view, failure, panel, reload) {
    this.view = view;
    this.failure = failure;
    this.panel = panel;
    this.reload = reload;
    /** @type {Engine | null} */
    this.engine = null;
    this.abort = new AbortController();
    /** @type {Promise<void>} the answer that is being written */
    this.writing = Promise.resolve();
    this.form = element('settings', HTMLFormElement);
    this.samples = element('samples', HTMLElement);
    this.composer = new Composer(view, {
      send: (text) => this.send(text),
      stop: () => this.abort.abort(),
    });
    this.messages = new Messages(
      element('messages', HTMLElement),
      (action, index, button) => this.act(action, index, button),
    );
    this.history = new History(() => this.showList());
    this.list = new ConversationList({
      open: (id) => this.open(id),
      rename: (id, title) => this.rename(id, title),
      remove: (id) => this.remove(id),
    });
    this.conversation = blank();
    this.listen();
    this.history.open().then(() => this.resume());
  }

  listen() {
    for (const id of ['new-chat', 'new-chat-2']) {
      element(id, HTMLButtonElement).addEventListener('click', () => this.open(null));
    }
    this.samples.addEventListener('click', ({ target }) => {
      if (target instanceof HTMLButtonElement) this.send(target.textContent ?? '');
    });
  }

  /** Shows the conversation that this tab showed before it was reloaded. */
  resume() {
    if (!this.history.lasts) {
      element('chats-note', HTMLElement).textContent =
        'This browser keeps no data for the page: conversations end with it.';
    }
    const before = this.history.all.get(recall('conversation', 'sessionStorage'));
    if (before && this.conversation.messages.length === 0) this.conversation = whole(before);
    this.show();
  }

  /**
   * Begins with a model that has been loaded.
   *
   * @param {Engine} engine
   */
  take(engine) {
    this.engine = engine;
    this.composer.say('Ready');
    this.view.go('chatting');
    this.show();
  }

  show() {
    const { messages } = this.conversation;
    this.messages.show(messages);
    this.showSamples();
    this.showList();
  }

  showSamples() {
    this.samples.hidden = this.conversation.messages.length > 0 || this.view.state !== 'chatting';
    element('intro', HTMLElement).hidden = this.conversation.messages.length > 0;
  }

  showList() {
    this.list.show(this.history.list, this.conversation.id);
  }

  /** @param {string} text by the user */
  send(text) {
    if (this.view.state !== 'chatting' || !text.trim()) return;
    if (!readSettings(this.form)) return;
    /** @type {Message} */
    const message = { role: 'user', content: text };
    this.conversation.title ||= inertLine(text, 60);
    this.conversation.messages.push(message);
    this.messages.add(message);
    this.composer.clear();
    this.answer();
  }

  /** Lets the model answer the last message. */
  answer() {
    this.writing = this.write();
  }

  async write() {
    const { conversation, engine } = this;
    const settings = readSettings(this.form);
    if (!engine || !settings) return;
    this.failure.hide();
    this.abort = new AbortController();
    this.view.go('generating');
    this.showSamples();
    this.composer.say('Writing…');
    this.keep(conversation);
    const shown = this.messages.writing((text) => this.composer.speak(text));
    const { max_tokens, ...sampling } = settings;
    const request = { ...sampling, max_completion_tokens: max_tokens, signal: this.abort.signal };
    let note = '';
    try {
      const last = await answer(engine, systemPrompt(this.form), conversation.messages, request, {
        onSeen: (from) => this.messages.markSeen(from),
        onPiece: (piece, pace) => {
          shown.append(piece);
          this.composer.showPace(pace);
        },
      });
      note = noteOf(last);
      this.finish('chatting', last.choices[0].finish_reason === 'abort' ? 'Stopped' : 'Done');
    } catch (error) {
      note = 'Failed';
      this.fail(error);
    }
    const content = shown.end(note);
    conversation.messages.push({ role: 'assistant', content, note });
    this.keep(conversation);
    this.panel.refresh();
  }

  /** @param {'chatting' | 'unloaded'} state @param {string} status */
  finish(state, status) {
    this.composer.showPace('');
    this.composer.say(status);
    this.view.go(state);
    this.showSamples();
  }

  /** @param {unknown} error */
  fail(error) {
    const survives = engineSurvives(codeOf(error));
    if (!survives) {
      this.engine = null;
      this.panel.take(null);
    }
    this.finish(survives ? 'chatting' : 'unloaded', '');
    this.failure.show(error, survives ? () => this.again() : this.reload);
  }

  /** Answers the last message of the user once more. */
  again() {
    if (this.view.state !== 'chatting') return;
    const { messages } = this.conversation;
    const last = messages.findLastIndex(({ role }) => role === 'user');
    if (last >= 0) this.cut(last + 1);
    if (last >= 0) this.answer();
  }

  /** Drops all messages from this one on. @param {number} from */
  cut(from) {
    this.conversation.messages.length = from;
    this.messages.show(this.conversation.messages);
  }

  /**
   * @param {string} action
   * @param {number} index
   * @param {HTMLButtonElement} button
   */
  async act(action, index, button) {
    const message = this.conversation.messages[index];
    if (action === 'copy-code') {
      const code = button.closest('figure')?.querySelector('code')?.textContent;
      this.composer.say(await copyText(code ?? ''));
    } else if (action === 'copy' && message) {
      this.composer.say(await copyText(message.content));
    } else if (this.view.state === 'chatting' && message) {
      if (action === 'again') {
        this.cut(index);
        this.answer();
      }
      if (action === 'edit') this.edit(index, message.content);
    }
  }

  /** @param {number} index @param {string} text */
  edit(index, text) {
    this.messages.edit(index, text, (changed) => {
      if (this.view.state !== 'chatting' || !readSettings(this.form)) return;
      this.cut(index);
      this.send(changed);
    });
  }

  /** Ends the answer that is being written. */
  async stop() {
    this.abort.abort();
    await this.writing;
  }

  /** @param {string | null} id null: a new conversation */
  async open(id) {
    await this.stop();
    element('chats', HTMLElement).hidePopover();
    const found = this.history.all.get(id ?? '');
    this.conversation = found ? whole(found) : blank();
    keep('conversation', this.conversation.id, 'sessionStorage');
    this.failure.hide();
    this.composer.say('');
    this.show();
    this.composer.focus();
  }

  /** @param {string} id @param {string} title */
  async rename(id, title) {
    const found = this.history.all.get(id);
    if (!found) return;
    found.title = title;
    this.showList();
    await this.history.save(found);
  }

  /** @param {string} id */
  async remove(id) {
    const removed = this.history.all.get(id);
    if (!removed) return;
    if (id === this.conversation.id) await this.open(null);
    await this.history.remove(id);
    this.showList();
    this.composer.offer(`Deleted “${removed.title}”`, async () => {
      await this.history.save(removed);
      this.open(id);
    });
  }

  /** @param {Conversation} conversation */
  async keep(conversation) {
    const { id } = conversation;
    conversation.updated = Date.now();
    conversation.title = this.history.all.get(id)?.title ?? conversation.title; // it may be new
    keep('conversation', id, 'sessionStorage');
    await this.history.save(conversation);
    this.showList();
  }
}

/** @param {Conversation} conversation @returns {Conversation} with an answer to each message */
function whole(conversation) {
  const { messages } = conversation;
  const isOpen = messages.length % 2 === 1; // the page was closed before there was an answer
  if (isOpen) messages.push({ role: 'assistant', content: '', note: 'Stopped' });
  return conversation;
}

/** @returns {Conversation} */
function blank() {
  return { id: crypto.randomUUID(), title: '', updated: 0, messages: [] };
}
