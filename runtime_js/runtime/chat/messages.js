/**
 * Messages in OpenAI's shape → what a chat template reads: each content one text.
 *
 * @import { ChatMessage, ChatRequest } from '../../mdst.d.ts'
 */

import { invalid, readObject, readOption, show } from '../checks.js';

/**
 * @param {readonly ChatMessage[]} given
 * @returns {Record<string, unknown>[]}
 * @throws {MdstError} 'invalid_request', with the field at fault
 */
export function readMessages(given) {
  if (!Array.isArray(given) || given.length === 0) {
    throw invalid('messages must be a list that is not empty', 'messages');
  }
  return given.map((message, i) => {
    const name = `messages[${i}]`;
    const { role, content, tool_calls, ...rest } = readObject(name, message);
    const others = tool_calls ? { ...rest, tool_calls: readCalls(tool_calls) } : rest;
    if (typeof role !== 'string' || role === '') {
      throw invalid(`${name}.role is ${show(role)}, but must be a text`, `${name}.role`);
    }
    return { ...others, role, content: readContent(`${name}.content`, content) };
  });
}

/**
 * OpenAI gives the arguments of a call as JSON in a text; templates are written for what it means.
 *
 * @param {unknown} calls
 */
function readCalls(calls) {
  return Array.isArray(calls) ? calls.map(readCall) : calls;
}

/** @param {any} call */
function readCall(call) {
  const text = call?.function?.arguments;
  if (typeof text !== 'string') return call;
  try {
    const meaning = JSON.parse(text);
    if (meaning === null || typeof meaning !== 'object') return call;
    return { ...call, function: { ...call.function, arguments: meaning } };
  } catch {
    return call; // what a model wrote need not be JSON
  }
}

/** @param {string} name @param {unknown} content @returns {string | null} */
function readContent(name, content) {
  if (content === undefined || content === null) return null; // of a message with tool calls
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) {
    throw invalid(`${name} is ${show(content)}, but must be a text or a list of parts`, name);
  }
  return content.map((part, i) => {
    const { type, text } = readObject(`${name}[${i}]`, part);
    if (type !== 'text') {
      const message = `${name}[${i}].type is ${show(type)}, but the model reads text only`;
      throw invalid(message, `${name}[${i}].type`);
    }
    if (typeof text === 'string') return text;
    throw invalid(`${name}[${i}].text is ${show(text)}, but must be a text`, `${name}[${i}].text`);
  }).join('');
}

/**
 * @param {Pick<ChatRequest, 'tools' | 'tool_choice'>} given
 * @returns {object[] | null} what the template is told of
 */
export function readTools({ tools, tool_choice }) {
  const choice = readOption('tool_choice', tool_choice, ['auto', 'none']);
  if (tools === undefined || tools === null) return null;
  if (!Array.isArray(tools)) throw invalid('tools must be a list', 'tools');
  tools.forEach((tool, i) => readObject(`tools[${i}]`, tool));
  return choice === 'none' || tools.length === 0 ? null : tools;
}
