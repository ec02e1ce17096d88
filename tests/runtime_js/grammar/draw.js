/**
 * For tests/runtime_js/test_vocabularies.py: texts drawn at random from what masks allow, over a real
 * vocabulary. `deno run draw.js VOCABULARY COUNT SEED`; prints JSON.
 */

import {
  compileSchema,
  constrain,
  TokenTable,
} from '../../../runtime_js/runtime/grammar/grammar.js';
import { openTokenizer } from '../../../runtime_js/runtime/text/tokenizer.js';
import { Generator, valid } from './schemas.js';
import { draw, take, textOf } from './tables.js';

const [file, ...numbers] = Deno.args;
const [count, seed] = numbers.map(Number);
const tokenizer = await openTokenizer(Deno.readFileSync(file).buffer);
const size = tokenizer.vocabulary.tokens.length;
const began = performance.now();
const table = TokenTable.of(tokenizer, size);
const tableMs = performance.now() - began;
const generator = new Generator(seed);
/** @type {number[]} */
const times = [];

const drawn = Array.from({ length: count }, () => {
  const schema = generator.schema();
  const constraint = constrain(compileSchema(schema), table);
  const least = constraint.matcher().distance;
  const budget = least + generator.below(60);
  const matcher = constraint.matcher({ budget });
  const mask = matcher.mask.bind(matcher);
  matcher.mask = () => {
    const start = performance.now();
    const found = mask();
    times.push(performance.now() - start);
    return found;
  };
  const ids = draw(matcher, table, (most) => generator.below(most));
  return { schema, text: textOf(table, ids), tokens: ids.length, budget };
});

// What the tokenizer itself makes of values that fit is allowed as well.
const encoded = Array.from({ length: count }, () => {
  const schema = generator.schema();
  const value = generator.value(schema);
  const matcher = constrain(compileSchema(schema), table).matcher();
  const ids = tokenizer.encode(JSON.stringify(value));
  const allowed = ids.every((id) => take(matcher, id)) && matcher.done;
  return valid(value, schema, schema) && allowed ? null : { schema, value };
});

times.sort((a, b) => a - b);
const mask_ms = { median: times[times.length >> 1], most: times[times.length - 1] };
console.log(JSON.stringify({ size, table_ms: tableMs, mask_ms, drawn, encoded }));
