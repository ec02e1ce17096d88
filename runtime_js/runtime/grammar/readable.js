/**
 * Whether a pattern stays small when it is read as a deterministic automaton.
 *
 * @import { Node } from './nodes.js'
 */

import { Automaton } from './automaton.js';
import { has, nodeCosts } from './nodes.js';
import { PatternError } from './pattern.js';

/**
 * How many stacks its states have.
 *
 * @param {Node} root
 * @param {readonly Node[]} nodes
 * @param {number} most how many they may have
 * @throws {PatternError} when it has more
 */
export function countStacks(root, nodes, most) {
  const costs = nodeCosts(nodes, (text) => new Float64Array(text.length + 1), () => true);
  const automaton = new Automaton({ root, nodes }, costs);
  const bytes = distinctBytes(nodes);
  const seen = new Set([automaton.start]);
  let stacks = automaton.start.cells.length;
  for (const state of seen) { // grows on the way
    for (const byte of bytes) {
      const next = automaton.step(state, byte);
      if (next !== null && !seen.has(next)) {
        seen.add(next);
        stacks += next.cells.length;
      }
    }
    automaton.begin();
    if (stacks > most) throw new PatternError('is too complex, or one of too many');
  }
  return stacks;
}

/** One byte of all that no node tells apart. @param {readonly Node[]} nodes */
function distinctBytes(nodes) {
  const sets = nodes.flatMap((node) => node.kind === 'set' ? [node.set] : []);
  const texts = new Set(nodes.flatMap((node) => node.kind === 'text' ? [...node.bytes] : []));
  /** @type {Map<string, number>} */
  const kinds = new Map();
  for (let byte = 0; byte < 256; byte++) {
    kinds.set(
      texts.has(byte) ? `${byte}` : sets.map((set) => has(set, byte) ? 'x' : '').join(),
      byte,
    );
  }
  return [...kinds.values()];
}
