/**
 * Schemas → constraints over a model's vocabulary. What they need is fetched when the first one is
 * asked for.
 *
 * @import { Constraint } from './grammar/matcher.js'
 * @import { TokenTable } from './grammar/tokens.js'
 * @import { Schema } from './request.js'
 * @import { Tokenizer } from './text/tokenizer.js'
 */

export class Constraints {
  /** @param {Tokenizer} tokenizer @param {number} size entries of the logits */
  constructor(tokenizer, size) {
    this.tokenizer = tokenizer;
    this.size = size;
    /** @type {TokenTable | null} */
    this.tokens = null;
    /** The last one: requests with the same schema find its masks made. */
    this.key = '';
    /** @type {Constraint | null} */
    this.last = null;
  }

  /**
   * @param {Schema | null} schema
   * @returns {Promise<Constraint | null>}
   * @throws {MdstError} 'invalid_request'
   */
  async of(schema) {
    if (schema === null) return null;
    const { anyObject, compileSchema, constrain, TokenTable } = await import(
      './grammar/grammar.js'
    );
    const key = JSON.stringify(schema);
    if (this.last !== null && this.key === key) return this.last;
    const grammar = schema === 'anyObject' ? anyObject() : compileSchema(schema);
    this.tokens ??= TokenTable.of(this.tokenizer, this.size);
    this.last = constrain(grammar, this.tokens);
    this.key = key;
    return this.last;
  }
}
