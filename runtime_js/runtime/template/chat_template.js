/**
 * Chat templates of a bundle: a conversation → the prompt's text. This module is imported only where
 * somebody chats.
 */

import { dict, range } from './access.js';
import { toText } from './print.js';
import { Renderer } from './renderer.js';
import { Budget, Callable, fail, fromJson, Missing, Namespace } from './values.js';
import { str } from './methods.js';

/**
 * What chat_template.json holds: trees by name, `default` and perhaps `tool_use` and others.
 * @typedef {{ format: number, templates: Record<string, any> }} ChatTemplates
 */

/**
 * Whatever else is given reaches the template under its name (enable_thinking, documents, …).
 * @typedef {object} Conversation
 * @property {readonly unknown[]} messages
 * @property {readonly unknown[] | null} [tools]
 * @property {boolean} [add_generation_prompt]
 * @property {string} [bos_token]
 * @property {string} [eos_token]
 * @property {string | Date} [now] today, or a day as YYYY-MM-DD; default: the clock's
 */

/** Of chat_template.json. */
const FORMAT = 1;

/**
 * The prompt that the model's template makes of a conversation, as Hugging Face's
 * `apply_chat_template` would. Where there is a template for tools, it takes those with tools.
 * A rendering that comes to something rare begins again with it: what is written depends only on
 * the template and the conversation.
 *
 * @param {object} data of chat_template.json
 * @param {Conversation & Record<string, unknown>} conversation
 * @returns {Promise<string>}
 * @throws {MdstError} 'invalid_request': there is no template, it refuses the conversation (with its
 *   own words), or it takes too many steps
 */
export async function renderChat(data, conversation) {
  try {
    return rendered(data, conversation);
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    return rendered(data, conversation, await import('./rare/rare.js'));
  }
}

/**
 * @param {object} data
 * @param {Conversation & Record<string, unknown>} conversation
 * @param {Rare} [rare]
 * @throws {Missing} also where it comes to what is in `rare`, and that is not there
 */
function rendered(data, { now, ...conversation }, rare) {
  const { format, templates } = /** @type {ChatTemplates} */ (data);
  const name = conversation.tools && Object.hasOwn(templates, 'tool_use') ? 'tool_use' : 'default';
  if (format !== FORMAT || !Object.hasOwn(templates, name)) {
    fail('this model has none: use completions with a prompt of your own');
  }
  const budget = new Budget(rare);
  const time = now instanceof Date
    ? now
    : now === undefined
    ? new Date()
    : new Date(`${now}T00:00`);
  if (Number.isNaN(time.getTime())) fail('now is not a day as YYYY-MM-DD');
  const values = { add_generation_prompt: false, ...conversation };
  const renderer = new Renderer(budget, globals(budget, time));
  try {
    return renderer.render(templates[name], fromJson(budget, values));
  } catch (error) {
    if (error instanceof RangeError) return fail('it is nested too deep'); // the engine's own stack
    throw error;
  }
}

/** @param {Budget} budget @param {Date} time */
function globals(budget, time) {
  return {
    dict: new Callable((args, kwargs) => dict(budget, args, kwargs)),
    namespace: new Callable((args, kwargs) => new Namespace(dict(budget, args, kwargs))),
    raise_exception: new Callable((args) => fail(toText(budget, args[0]))),
    range: new Callable((args) => range(budget, args)),
    strftime_now: new Callable((args) => budget.rare.strftime(time, str(args[0]))),
  };
}

/** @import { MdstError } from '../errors.js' */
/** @import { Rare } from './values.js' */
