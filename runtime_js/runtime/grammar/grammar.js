/**
 * The door to constrained decoding: a schema → a grammar; with a vocabulary, masks of token ids.
 *
 *     const tokens = TokenTable.of(tokenizer, vocabularySize)   // once for a model
 *     const constraint = constrain(compileSchema(schema), tokens)
 *     const matcher = constraint.matcher({ budget: maxTokens })
 *     … matcher.mask() … matcher.accept(id) … until matcher.mustEnd
 *
 * @import { Grammar } from './nodes.js'
 */

import { Automaton } from './automaton.js';
import { Constraint } from './matcher.js';
import { nodeCosts } from './nodes.js';
import { TokenTable } from './tokens.js';

export { anyObject, compileSchema } from './schema.js';
export { TokenTable };

/**
 * @param {Grammar} grammar
 * @param {TokenTable} tokens
 * @returns {Constraint}
 * @throws {import('../errors.js').MdstError} 'invalid_request': this vocabulary can write nothing that fits
 */
export function constrain(grammar, tokens) {
  const costs = nodeCosts(
    grammar.nodes,
    (text) => tokens.costs(text),
    (byte) => tokens.isToken(byte),
  );
  return new Constraint(new Automaton(grammar, costs), tokens);
}
