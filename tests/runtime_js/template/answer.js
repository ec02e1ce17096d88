/**
 * What the JavaScript interpreter gives for the questions of tests/text/chat: JSON on standard
 * input, a list of {tree, conversation}, → a list of {text} or {error} on standard output.
 */

import { MdstError } from '../../../runtime_js/runtime/errors.js';
import { renderChat } from '../../../runtime_js/runtime/template/chat_template.js';

const questions = JSON.parse(await new Response(Deno.stdin.readable).text());
console.log(JSON.stringify(await Promise.all(questions.map(answer))));

/** @param {{ tree: unknown, conversation: any }} question */
async function answer({ tree, conversation }) {
  try {
    return { text: await renderChat({ format: 1, templates: { default: tree } }, conversation) };
  } catch (error) {
    if (error instanceof MdstError && error.code === 'invalid_request') {
      return { error: error.message };
    }
    throw error;
  }
}
