/**
 * Objects with known properties, in their order, optional ones left out at will, then any others.
 *
 * @import { Node, Nodes } from './nodes.js'
 * @import { Values } from './values.js'
 */

import { complement, jsonCharacter, LAST } from './utf8.js';

const LONGEST_NAME = 64; // characters by which names are told apart from others

/**
 * @typedef {{ name: string, required: boolean, value: Node }} Member
 */

/**
 * @param {Nodes} nodes
 * @param {Values} values
 * @param {{ members: Member[], other: Node | null }} properties `other`: values of properties with
 *   other names; null: there are none
 */
export function objectNode(nodes, values, { members, other }) {
  const key = () => members.length > 0 ? otherName(nodes, members) : values.string;
  const more = other === null ? null : values.pair(key(), other);
  // From the last property back: what may follow some property, and what may begin the object.
  let rest = more === null ? nodes.empty : nodes.rep(nodes.seq(values.comma, more), 0, Infinity);
  let some = more === null ? nodes.alt() : nodes.seq(more, rest);
  for (const { name, required, value } of [...members].reverse()) {
    const pair = values.pair(JSON.stringify(name), value);
    const first = nodes.seq(pair, rest);
    const next = nodes.seq(values.comma, pair, rest);
    some = required ? first : nodes.alt(first, some);
    rest = required ? next : nodes.alt(next, rest);
  }
  return values.brackets('{}', { some, none: !members.some(({ required }) => required) });
}

/**
 * A name as `JSON.stringify` writes it that is none of the members'.
 *
 * @param {Nodes} nodes
 * @param {Member[]} members
 */
function otherName(nodes, members) {
  const anything = nodes.rep(jsonCharacter(nodes, [[0, LAST]]), 0, Infinity);
  /** @param {number[][]} tails what is left of names @param {number} depth @returns {Node} */
  const after = (tails, depth) => {
    if (depth === LONGEST_NAME) return nodes.alt();
    const taken = new Set(tails.filter((tail) => tail.length > 0).map(([code]) => code));
    const free = complement([...taken].map((code) => [code, code]));
    const parts = [nodes.seq(jsonCharacter(nodes, free), anything, '"')];
    for (const code of taken) {
      const same = tails.filter((tail) => tail[0] === code).map((tail) => tail.slice(1));
      parts.push(nodes.seq(jsonCharacter(nodes, [[code, code]]), after(same, depth + 1)));
    }
    return nodes.alt(...parts, ...(tails.some((tail) => tail.length === 0) ? [] : ['"']));
  };
  const names = members.map(({ name }) =>
    Array.from(name, (one) => one.codePointAt(0) ?? 0).slice(0, LONGEST_NAME)
  );
  return nodes.seq('"', after(names, 0));
}
