/**
 * The model's chat template: messages → the prompt, as text and as token ids.
 *
 * @import { ChatRequest } from '../../mdst.d.ts'
 * @import { ChatTemplates } from '../template/chat_template.js'
 * @import { Tokenizer } from '../text/tokenizer.js'
 */

import { readObject, readOption } from '../checks.js';
import { readMessages, readTools } from './messages.js';

/**
 * @param {ChatTemplates} template
 * @param {Pick<ChatRequest, 'messages' | 'tools' | 'tool_choice' | 'chat_template_kwargs'> &
 *   { add_generation_prompt?: boolean | null }} given
 * @param {Tokenizer} tokenizer
 * @returns {Promise<string>}
 * @throws {MdstError} 'invalid_request' also when the template refuses the messages
 */
export async function render(template, given, tokenizer) {
  const { bos, eos } = tokenizer.vocabulary;
  const kwargs = readObject('chat_template_kwargs', given.chat_template_kwargs);
  const variables = {
    bos_token: textOf(bos, tokenizer),
    eos_token: textOf(eos, tokenizer),
    ...kwargs,
    messages: readMessages(given.messages),
    tools: readTools(given),
    add_generation_prompt: readOption(
      'add_generation_prompt',
      given.add_generation_prompt,
      [true, false],
    ),
    now: new Date(),
  };
  const { renderChat } = await import('../template/chat_template.js');
  return renderChat(template, variables);
}

/**
 * Special tokens are what the template writes; BOS comes in front where the vocabulary asks for it
 * and the template has not written it.
 *
 * @param {string} text
 * @param {Tokenizer} tokenizer
 */
export function chatIds(text, tokenizer) {
  const { bos, add_bos } = tokenizer.vocabulary;
  const ids = tokenizer.encode(text, { parseSpecial: true });
  return add_bos && bos !== null && ids[0] !== bos ? [bos, ...ids] : ids;
}

/** @param {number | null} id @param {Tokenizer} tokenizer */
function textOf(id, tokenizer) {
  return id === null ? '' : tokenizer.decodeText([id], { special: true });
}
