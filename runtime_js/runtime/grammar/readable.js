/**
 * Whether a pattern stays small when it is read as a deterministic automaton.
 *
 * @import { Node } from './nodes.js'
 */

import { Automaton } from './automaton.js';
import { has, nodeCosts } from './nodes.js';
import { PatternError } from './pattern.js';

/**
 * The number of its states.
 *
 * @param {Node} root
 * @param {readonly Node[]} nodes
 * @param {number} most states that it may have
 * @throws {PatternError} when it has more
 */
export function countStates(root, nodes, most) {
  const costs = nodeCosts(nodes, (text) => new Float64Array(text.length + 1), () => true);
  const automaton = new Automaton({ root, nodes }, costs);
  const bytes = distinctBytes(nodes);
  const seen = new Set([automaton.start]);
  for (const state of seen) { // grows on the way
    for (const byte of bytes) {
      const next = automaton.step(state, byte);
      if (next !== null) seen.add(next);
    }
    automaton.begin();
    if (seen.size > most) throw new PatternError('is too complex, or one of too many');
  }
  return seen.size;
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
