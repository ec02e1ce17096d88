/**
 * Parts of an answer → OpenAI's objects, whole or as chunks of a stream.
 *
 * @import { ChatChunk, ChatCompletion, ChatLogprob, Completion, CompletionChunk,
 *   TextLogprobs } from '../mdst.d.ts'
 * @import { Part } from './completions.js'
 * @import { TokenLogprob } from './logprobs.js'
 * @import { Tokenizer } from './text/tokenizer.js'
 */

/**
 * @template Chunk, Whole
 * @typedef {{ chunk: (part: Part, first: boolean) => Chunk, usage: (part: Part) => Chunk,
 *   whole: (parts: Part[]) => Whole }} Shape `first`: of its choice; `usage`: the chunk that has
 *   nothing else
 */

/** @typedef {{ id: string, created: number, model: string }} Head */

/** @param {string} prefix @param {string} model @returns {Head} */
export function headOf(prefix, model) {
  const id = `${prefix}-${crypto.randomUUID()}`;
  return { id, created: Math.floor(Date.now() / 1000), model };
}

/**
 * @param {Head} head
 * @param {Tokenizer} tokenizer
 * @param {string} echo text that comes before each answer
 * @returns {Shape<CompletionChunk, Completion>}
 */
export function textShape(head, tokenizer, echo) {
  const object = /** @type {const} */ ('text_completion');
  /** @param {Part} part @param {boolean} first */
  const choice = ({ index, text, tokens, logprobs, reason }, first) => ({
    index,
    text: first ? echo + text : text,
    tokens,
    logprobs: logprobs && textLogprobs(logprobs, tokenizer),
    finish_reason: reason,
  });
  return {
    chunk: (part, first) => ({ ...head, object, choices: [choice(part, first)], ...told(part) }),
    usage: (part) => ({ ...head, object, choices: [], ...told(part) }),
    whole: (parts) => {
      const choices = joined(parts).map((part) => choice(part, true));
      return /** @type {Completion} */ ({ ...head, object, choices, ...told(last(parts)) });
    },
  };
}

/**
 * @param {Head} head
 * @param {Tokenizer} tokenizer
 * @returns {Shape<ChatChunk, ChatCompletion>}
 */
export function chatShape(head, tokenizer) {
  const role = /** @type {const} */ ('assistant');
  /** @param {Part} part */
  const rest = ({ tokens, logprobs, reason }) => {
    const content = logprobs?.map((each) => chatLogprob(each, tokenizer));
    return { tokens, logprobs: content ? { content } : null, finish_reason: reason };
  };
  const object = /** @type {const} */ ('chat.completion.chunk');
  return {
    chunk: (part, first) => {
      const { text, index, reason } = part;
      /** @type {ChatChunk['choices'][0]['delta']} */
      const delta = first ? { role, content: text } : reason === null ? { content: text } : {};
      return { ...head, object, choices: [{ index, delta, ...rest(part) }], ...told(part) };
    },
    usage: (part) => ({ ...head, object, choices: [], ...told(part) }),
    whole: (parts) => {
      const choices = joined(parts).map((part) => (
        { index: part.index, message: { role, content: part.text }, ...rest(part) }
      ));
      const whole = { ...head, object: 'chat.completion', choices, ...told(last(parts)) };
      return /** @type {ChatCompletion} */ (whole);
    },
  };
}

/** @param {Part[]} parts @returns {Part[]} one for each choice, in their order */
function joined(parts) {
  /** @type {Part[]} */
  const choices = [];
  for (const part of parts) {
    const before = choices[part.index];
    choices[part.index] = before === undefined ? part : {
      ...part,
      text: before.text + part.text,
      tokens: [...before.tokens, ...part.tokens],
      logprobs: before.logprobs && [...before.logprobs, ...(part.logprobs ?? [])],
    };
  }
  return choices;
}

/** @param {Part} part @returns what its end tells of the whole answer */
function told({ summary }) {
  if (summary === null) return {};
  const { usage, timings, seed } = summary;
  return { usage, timings, seed };
}

/** @param {Part[]} parts */
function last(parts) {
  return parts[parts.length - 1];
}

/** @param {number} id @param {Tokenizer} tokenizer */
function textOf(id, tokenizer) {
  return tokenizer.decodeText([id], { special: true });
}

/** @param {TokenLogprob[]} all @param {Tokenizer} tokenizer @returns {TextLogprobs} */
function textLogprobs(all, tokenizer) {
  return {
    tokens: all.map(({ id }) => textOf(id, tokenizer)),
    token_logprobs: all.map(({ logprob }) => logprob),
    // Of tokens with the same text, such as parts of characters, the likeliest.
    top_logprobs: all.map(({ top }) =>
      Object.fromEntries(
        top.toReversed().map(({ id, logprob }) => [textOf(id, tokenizer), logprob]),
      )
    ),
    text_offset: all.map(({ offset }) => offset),
  };
}

/** @param {TokenLogprob} drawn @param {Tokenizer} tokenizer @returns {ChatLogprob} */
function chatLogprob({ id, logprob, top }, tokenizer) {
  /** @param {{ id: number, logprob: number }} token */
  const told = (token) => ({
    token: textOf(token.id, tokenizer),
    id: token.id,
    logprob: token.logprob,
    bytes: [...tokenizer.decode([token.id], { special: true })],
  });
  return { ...told({ id, logprob }), top_logprobs: top.map(told) };
}
