/** Writing with a model that has no chat template: its text goes on from the prompt, and again. */

/** @import { CompletionRequest, Engine } from '../mdst.d.ts' */
/** @import { Failure } from './failure.js' */
/** @import { Panel } from './panel.js' */
/** @import { View } from './view.js' */

import { engineSurvives } from './advice.js';
import { complete, newest, summary } from './completion.js';
import { element, oncePerFrame } from './elements.js';
import { codeOf } from './failure.js';
import { readSettings } from './settings.js';
import { Sheet } from './sheet.js';

export class Story {
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
    this.form = element('form', HTMLFormElement);
    this.settings = element('settings', HTMLFormElement);
    this.status = element('story-status', HTMLElement);
    this.rate = element('story-rate', HTMLElement);
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
      ['stop-story', () => this.abort.abort()],
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
      if (key === 'Enter' && (ctrlKey || metaKey) && !isComposing) {
        this.form.requestSubmit();
      }
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
    const settings = readSettings(this.settings);
    if (!engine || !settings) return;
    if (text !== null) this.sheet.begin(text);
    this.failure.hide();
    this.abort = new AbortController();
    this.status.textContent = 'Writing…';
    this.sheet.output.ariaBusy = 'true'; // screen readers wait for the whole text
    this.view.go('generating');
    try {
      const request = { ...settings, prompt: await promptOf(engine), signal: this.abort.signal };
      const last = await complete(engine, request, (piece, pace) => {
        this.sheet.append(piece);
        this.pace = pace;
        this.drawPace();
      });
      this.finish(last.choices[0].finish_reason === 'stop' ? 'ended' : 'reading', summary(last));
      this.panel.refresh();
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
    this.sheet.output.ariaBusy = 'false';
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
      this.panel.take(null);
      this.write(this.sheet.text);
      this.view.go('unloaded');
      this.failure.show(error, this.reload);
    }
  }
}
