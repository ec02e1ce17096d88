/** Writing with a loaded model: its text goes on from the prompt, then from all that is there. */

/** @import { CompletionRequest, Engine } from '../mdst.d.ts' */
/** @import { Failure } from './failure.js' */
/** @import { View } from './view.js' */

import { engineSurvives } from './advice.js';
import { complete, newest, summary } from './completion.js';
import { describe, element, oncePerFrame } from './elements.js';
import { deviceFacts } from './facts.js';
import { codeOf } from './failure.js';
import { readSettings } from './settings.js';
import { Sheet } from './sheet.js';

export class Writer {
  /**
   * @param {View} view
   * @param {Failure} failure
   * @param {() => void} reload loads the model again and calls `take`
   */
  constructor(view, failure, reload) {
    this.view = view;
    this.failure = failure;
    this.reload = reload;
    this.form = element('form', HTMLFormElement);
    this.status = element('status', HTMLElement);
    this.rate = element('rate', HTMLElement);
    this.box = element('prompt', HTMLTextAreaElement);
    this.sheet = new Sheet(this.box, element('output', HTMLElement));
    /** @type {Engine | null} */
    this.engine = null;
    this.abort = new AbortController();
    this.beginning = '';
    this.pace = '';
    this.drawPace = oncePerFrame(() => {
      this.rate.textContent = this.view.state === 'generating' ? this.pace : '';
    });
    this.listen();
  }

  listen() {
    /** @type {[string, () => void][]} */
    const actions = [
      ['stop', () => this.abort.abort()],
      ['again', () => this.begin()],
      ['edit', () => this.write(this.sheet.text)],
      ['new', () => this.write('')],
    ];
    for (const [id, action] of actions) {
      element(id, HTMLButtonElement).addEventListener('click', action);
    }
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.view.state === 'writing') {
        this.beginning = this.box.value ||= this.box.placeholder;
        this.begin();
      } else if (this.view.state === 'reading') this.goOn();
    });
    document.addEventListener('keydown', (event) => {
      const { key, ctrlKey, metaKey, isComposing } = event;
      if (key === 'Enter' && (ctrlKey || metaKey) && !isComposing) this.form.requestSubmit();
      if (key === 'Escape' && this.view.state === 'generating') this.abort.abort();
    });
  }

  /**
   * Begins with a model that has been loaded.
   *
   * @param {Engine} engine
   */
  take(engine) {
    this.engine = engine;
    this.status.textContent = 'Ready';
    this.view.go('writing');
    this.showFacts();
  }

  /**
   * Shows the box with a text in it.
   *
   * @param {string} text
   */
  write(text) {
    this.sheet.write(text);
    this.failure.hide();
    this.status.textContent = '';
    this.view.go('writing');
  }

  /** A text from the beginning. */
  begin() {
    this.run(this.beginning, () => this.beginning);
  }

  /** More of the text that is shown. */
  goOn() {
    this.run(null, async (engine) => {
      const { context } = await engine.stats();
      return newest(await engine.tokenize(this.sheet.text, { addSpecial: true }), context);
    });
  }

  /**
   * Lets the model write, and shows how that ended.
   *
   * @param {string | null} text to show before it; null: what is there
   * @param {(engine: Engine) => CompletionRequest['prompt'] | Promise<number[]>} promptOf
   */
  async run(text, promptOf) {
    const engine = this.engine;
    const settings = readSettings(this.form);
    if (!engine || !settings) return;
    if (text !== null) this.sheet.begin(text);
    this.failure.hide();
    this.abort = new AbortController();
    this.status.textContent = 'Writing…';
    this.view.go('generating');
    try {
      const request = { ...settings, prompt: await promptOf(engine), signal: this.abort.signal };
      const last = await complete(engine, request, (piece, pace) => {
        this.sheet.append(piece);
        this.pace = pace;
        this.drawPace();
      });
      this.finish(last.choices[0].finish_reason === 'stop' ? 'ended' : 'reading', summary(last));
      this.showFacts();
    } catch (error) {
      this.finish('reading', '');
      this.fail(error);
    }
  }

  /**
   * @param {'reading' | 'ended'} state
   * @param {string} status
   */
  finish(state, status) {
    this.sheet.flush();
    this.rate.textContent = '';
    this.status.textContent = status;
    this.view.go(state);
  }

  /** @param {unknown} error */
  fail(error) {
    if (engineSurvives(codeOf(error))) {
      if (this.sheet.text === this.beginning) this.write(this.beginning);
      this.failure.show(error, () => this.form.requestSubmit());
    } else {
      this.engine = null;
      this.write(this.sheet.text);
      this.view.go('unloaded');
      this.failure.show(error, this.reload);
    }
  }

  async showFacts() {
    const stats = await this.engine?.stats();
    if (stats) describe(element('stats', HTMLElement), deviceFacts(stats));
  }
}
