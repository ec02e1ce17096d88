/** One answer of the engine to a conversation. */

/** @import { ChatChunk, ChatRequest, Engine, FinishReason, Stats } from '../../mdst.d.ts' */
/** @import { Message } from './history.js' */

import { codeOf } from '../failure.js';
import { counted, formatRate } from '../format.js';

/**
 * @typedef {object} Listener
 * @property {(from: number) => void} onSeen told from which message on the model sees them
 * @property {(piece: string, pace: string) => void} onPiece
 */

/**
 * Generates until the end or an abort. A conversation that has outgrown the context loses its
 * oldest messages, for the model alone.
 *
 * @param {Engine} engine
 * @param {string} system '' for none
 * @param {Message[]} messages the last one by the user
 * @param {Omit<ChatRequest, 'messages' | 'stream'>} request
 * @param {Listener} listener
 * @returns {Promise<ChatChunk>} the last chunk
 */
export async function answer(engine, system, messages, request, { onSeen, onPiece }) {
  const { stream, from } = await begin(engine, system, messages, request);
  onSeen(from);
  let count = 0;
  let first = 0;
  let start = 0;
  for await (const chunk of stream) {
    const { delta, tokens, finish_reason: reason } = chunk.choices[0];
    count += tokens.length;
    if (!start) {
      start = performance.now();
      first = count;
    }
    const rate = (count - first) / ((performance.now() - start) / 1000);
    onPiece(delta.content ?? '', `${counted(count, 'token')} · ${formatRate(rate)}`);
    if (reason) return chunk;
  }
  throw new Error('the answer ended without a reason');
}

/**
 * @param {Engine} engine
 * @param {string} system
 * @param {Message[]} messages
 * @param {Omit<ChatRequest, 'messages' | 'stream'>} request
 */
async function begin(engine, system, messages, request) {
  const head = system ? [{ role: 'system', content: system }] : [];
  for (let from = 0;;) {
    const seen = messages.slice(from).filter(isSeen).map(({ role, content }) => ({
      role,
      content,
    }));
    try {
      const whole = {
        ...request,
        messages: [...head, ...seen],
        stream: /** @type {true} */ (true),
      };
      return { stream: await engine.chat.completions.create(whole), from };
    } catch (error) {
      const next = messages.findIndex(({ role }, index) => index > from && role === 'user');
      if (codeOf(error) !== 'context_length_exceeded' || next < 0) throw error;
      from = next;
    }
  }
}

/**
 * Templates want turns to alternate, so a message that got no answer is not seen.
 *
 * @param {Message} message
 * @param {number} index
 * @param {Message[]} all
 */
function isSeen({ role, content }, index, all) {
  return role === 'user' ? all[index + 1]?.content !== '' : content !== '';
}

/** @type {Record<FinishReason, string>} */
const ENDINGS = { stop: '', length: 'Cut off', abort: 'Stopped' };

/**
 * How an answer ended and how fast it was, in a line.
 *
 * @param {ChatChunk} last
 * @returns {string}
 */
export function noteOf({ choices, usage, timings }) {
  const reason = choices[0].finish_reason;
  const parts = reason && ENDINGS[reason] ? [ENDINGS[reason]] : [];
  if (usage) {
    const { completion_tokens: made } = usage;
    parts.push(counted(made, 'token'));
    if (timings && made > 1) parts.push(formatRate((made - 1) / timings.decode_seconds));
  }
  return parts.join(' · ');
}
