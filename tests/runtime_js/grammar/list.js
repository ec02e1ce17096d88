/**
 * For tests in the browser: `deno run list.js COUNT SEED` prints a JSON list of random schemas, each
 * with the bytes of its shortest text, which are enough tokens for any vocabulary that has all bytes.
 */

import { compileSchema, constrain } from '../../../runtime_js/runtime/grammar/grammar.js';
import { Generator } from './schemas.js';
import { byteTable } from './tables.js';

const [count, seed] = Deno.args.map(Number);
const generator = new Generator(seed);
const table = byteTable();
const list = Array.from({ length: count }, () => {
  const schema = generator.schema();
  return { schema, least: constrain(compileSchema(schema), table).matcher().distance };
});
console.log(JSON.stringify(list));
