/**
 * The algebra that grammars are made of: texts and sets of bytes, joined by sequence, choice,
 * repetition and reference. What is equal is one node, so that equal states meet again.
 */

import { MdstError } from '../errors.js';

const MOST_NODES = 100_000;

/**
 * `at` of a place inside a node: bytes done of a text, items done of a sequence, rounds done of a
 * repetition (counted up to `min` where `max` is Infinity).
 *
 * @typedef {{ id: number, kind: 'text', bytes: Uint8Array }} Text
 * @typedef {{ id: number, kind: 'set', set: Uint32Array }} ByteSet one byte of 256 bits
 * @typedef {{ id: number, kind: 'seq', items: Node[] }} Seq
 * @typedef {{ id: number, kind: 'alt', items: Node[] }} Alt
 * @typedef {{ id: number, kind: 'rep', item: Node, min: number, max: number }} Rep
 * @typedef {{ id: number, kind: 'ref', target: Node | null }} Ref filled in later: it may recur
 * @typedef {Text | ByteSet | Seq | Alt | Rep | Ref} Node
 *
 * @typedef {{ root: Node, nodes: readonly Node[] }} Grammar
 */

/** Makes the nodes of one grammar. */
export class Nodes {
  /** @type {Node[]} children before parents, but for what a `ref` points at */
  all = [];
  /** @type {Map<string, Node>} */
  #known = new Map();

  /** Nothing at all, which always matches. */
  get empty() {
    return this.seq();
  }

  /** @param {string} text */
  text(text) {
    return text === '' ? this.empty : this.#node(`t${text}`, (id) => ({
      id,
      kind: 'text',
      bytes: new TextEncoder().encode(text),
    }));
  }

  /** @param {readonly (readonly [number, number])[]} ranges of bytes, both ends included */
  set(ranges) {
    const set = new Uint32Array(8);
    for (const [from, to] of ranges) {
      for (let byte = from; byte <= to; byte++) set[byte >> 5] |= 1 << (byte & 31);
    }
    return this.#node(`b${set}`, (id) => ({ id, kind: 'set', set }));
  }

  /** @param {string} any of these ASCII characters */
  chars(any) {
    return this.set([...any].map((one) => [one.charCodeAt(0), one.charCodeAt(0)]));
  }

  /** @param {...(Node | string)} parts one after another @returns {Node} */
  seq(...parts) {
    const items = this.#items(parts).filter((item) => item.kind !== 'seq' || item.items.length > 0);
    return items.length === 1
      ? items[0]
      : this.#node(`s${items.map(idOf)}`, (id) => ({ id, kind: 'seq', items }));
  }

  /** @param {...(Node | string)} parts any of them; none: what never matches @returns {Node} */
  alt(...parts) {
    const items = [...new Set(this.#items(parts))];
    return items.length === 1
      ? items[0]
      : this.#node(`a${items.map(idOf)}`, (id) => ({ id, kind: 'alt', items }));
  }

  /** @param {Node | string} part @param {number} min @param {number} max Infinity: no end */
  rep(part, min, max) {
    const item = typeof part === 'string' ? this.text(part) : part;
    if (max < min) return this.alt();
    if (max === 0) return this.empty;
    if (min === 1 && max === 1) return item;
    return this.#node(`r${item.id},${min},${max}`, (id) => ({ id, kind: 'rep', item, min, max }));
  }

  /** @param {Node | string} part */
  optional(part) {
    return this.rep(part, 0, 1);
  }

  /** @returns {Ref} a new one, to be filled in */
  ref() {
    return /** @type {Ref} */ (this.#add((id) => ({ id, kind: 'ref', target: null })));
  }

  /** @param {(Node | string)[]} parts */
  #items(parts) {
    return parts.map((part) => typeof part === 'string' ? this.text(part) : part);
  }

  /** @param {string} key @param {(id: number) => Node} make @returns {Node} */
  #node(key, make) {
    let node = this.#known.get(key);
    if (node === undefined) this.#known.set(key, node = this.#add(make));
    return node;
  }

  /** @param {(id: number) => Node} make @returns {Node} */
  #add(make) {
    if (this.all.length === MOST_NODES) {
      throw new MdstError('invalid_request', 'the schema is too large');
    }
    const node = make(this.all.length);
    this.all.push(node);
    return node;
  }
}

/** @param {Node} node */
function idOf(node) {
  return node.id;
}

/** @param {Uint32Array} set @param {number} byte */
export function has(set, byte) {
  return (set[byte >> 5] >>> (byte & 31) & 1) === 1;
}

/**
 * The fewest tokens that each node takes, from each place in it, if none reaches across nodes:
 * always enough, and one token of such a way always brings the end one token nearer.
 *
 * @param {readonly Node[]} nodes of a grammar
 * @param {(bytes: Uint8Array) => Float64Array} textCosts tokens for the rest from each byte on
 * @param {(byte: number) => boolean} isToken whether a byte is a token of its own
 * @returns {(Float64Array | number)[]} by id; a list by place for texts and sequences, else a number
 *   (of a repetition: of one round). Infinity: no way
 */
export function nodeCosts(nodes, textCosts, isToken) {
  /** @type {(Float64Array | number)[]} */
  const costs = nodes.map((node) => node.kind === 'text' ? textCosts(node.bytes) : Infinity);
  const whole = new Float64Array(nodes.length).fill(Infinity);
  for (let changed = true; changed;) {
    changed = false;
    for (const node of nodes) {
      const cost = wholeCost(node, costs, whole, isToken);
      if (cost < whole[node.id]) {
        whole[node.id] = cost;
        changed = true;
      }
    }
  }
  for (const node of nodes) {
    if (node.kind === 'seq') {
      const rest = new Float64Array(node.items.length);
      node.items.reduceRight((sum, item, i) => rest[i] = sum + whole[item.id], 0);
      costs[node.id] = rest;
    } else if (node.kind !== 'text') {
      costs[node.id] = whole[node.kind === 'rep' ? node.item.id : node.id];
    }
  }
  return costs;
}

/**
 * @param {Node} node
 * @param {(Float64Array | number)[]} costs
 * @param {Float64Array} whole
 * @param {(byte: number) => boolean} isToken
 * @returns {number}
 */
function wholeCost(node, costs, whole, isToken) {
  switch (node.kind) {
    case 'text':
      return /** @type {Float64Array} */ (costs[node.id])[0];
    case 'set': {
      for (let byte = 0; byte < 256; byte++) if (has(node.set, byte) && isToken(byte)) return 1;
      return Infinity;
    }
    case 'seq':
      return node.items.reduce((sum, item) => sum + whole[item.id], 0);
    case 'alt':
      return node.items.reduce((least, item) => Math.min(least, whole[item.id]), Infinity);
    case 'rep':
      return node.min === 0 ? 0 : node.min * whole[node.item.id];
    case 'ref':
      return node.target === null ? Infinity : whole[node.target.id];
  }
}

/**
 * From a place to the end of its node, as `nodeCosts` counts.
 *
 * @param {Node} node
 * @param {number} at
 * @param {(Float64Array | number)[]} costs
 */
export function costFrom(node, at, costs) {
  const cost = costs[node.id];
  if (typeof cost !== 'number') return cost.length === 0 ? 0 : cost[at];
  if (node.kind === 'rep') return at < node.min ? (node.min - at) * cost : 0;
  return cost;
}
