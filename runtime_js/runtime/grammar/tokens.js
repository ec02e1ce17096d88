/**
 * The bytes of all tokens of a vocabulary → a trie that is walked in one sweep.
 *
 * Nodes lie in depth-first order, children by their bytes: the next node is the first child, and
 * `skip` leads past all below a node. Built once for a vocabulary: a walk of 262,144 tokens
 * then takes milliseconds.
 *
 * @import { Tokenizer } from '../text/tokenizer.js'
 */

const MOST_IDS = 2 ** 20;

export class TokenTable {
  /**
   * @param {number} size entries of the logits; ids from the number of tokens on have no token
   * @param {readonly Uint8Array[]} pieces what each token adds to a text; empty: never allowed
   * @param {readonly number[]} endIds tokens that end a text
   */
  constructor(size, pieces, endIds) {
    this.size = size;
    this.pieces = pieces;
    this.endIds = endIds.filter((id) => id < size);
    const ends = new Set(endIds);
    /** @type {number[]} */
    const ids = [];
    for (let id = 0; id < Math.min(size, pieces.length); id++) {
      if (pieces[id].length > 0 && !ends.has(id)) ids.push(id);
    }
    /** Token ids in the order of their bytes. */
    this.ids = sorted(ids, pieces);
    const nodes = this.#count();
    this.bytes = new Uint8Array(nodes);
    this.depths = new Uint16Array(nodes);
    /** Where the nodes below each one end. */
    this.skip = new Uint32Array(nodes);
    /** Tokens that end in node i: ids[first[i]] up to ids[first[i + 1]]. */
    this.first = new Uint32Array(nodes + 1);
    this.deepest = this.#fill();
    /** The node of each first byte, or −1. */
    this.roots = new Int32Array(256).fill(-1);
    for (let node = 0; node < nodes; node = this.skip[node]) this.roots[this.bytes[node]] = node;
  }

  /**
   * @param {Tokenizer} tokenizer
   * @param {number} size entries of the logits
   */
  static of(tokenizer, size) {
    const { tokens, end_ids } = tokenizer.vocabulary;
    const pieces = Array.from({ length: tokens.length }, (_, id) => tokenizer.tokenBytes(id));
    return new TokenTable(size, pieces, end_ids);
  }

  /** Whether a byte is a token of its own. @param {number} byte */
  isToken(byte) {
    const node = this.roots[byte];
    return node >= 0 && this.first[node + 1] > this.first[node];
  }

  /**
   * The fewest tokens that write the rest of a text, from each byte on; Infinity: none can.
   * @param {Uint8Array} text
   */
  costs(text) {
    const costs = new Float64Array(text.length + 1).fill(Infinity);
    costs[text.length] = 0;
    for (let from = text.length - 1; from >= 0; from--) {
      let node = this.roots[text[from]];
      for (let end = from + 1; node >= 0; end++) {
        if (this.first[node + 1] > this.first[node]) {
          costs[from] = Math.min(costs[from], 1 + costs[end]);
        }
        node = end < text.length ? this.#child(node, text[end]) : -1;
      }
    }
    return costs;
  }

  /** @param {number} node @param {number} byte @returns {number} −1: none */
  #child(node, byte) {
    const end = this.skip[node];
    let child = node + 1;
    while (child < end && this.bytes[child] < byte) child = this.skip[child];
    return child < end && this.bytes[child] === byte ? child : -1;
  }

  #count() {
    let nodes = 0;
    this.ids.forEach((id, i) => {
      const piece = this.pieces[id];
      nodes += piece.length - (i === 0 ? 0 : shared(this.pieces[this.ids[i - 1]], piece));
    });
    return nodes;
  }

  #fill() {
    /** @type {number[]} the nodes on the way to the last one */
    const path = [];
    let node = 0;
    let deepest = 0;
    /** @type {Uint8Array} */
    let before = new Uint8Array(0);
    /** @param {number} depth */
    const close = (depth) => {
      while (path.length > depth) this.skip[/** @type {number} */ (path.pop())] = node;
    };
    this.ids.forEach((id, i) => {
      const piece = this.pieces[id];
      close(shared(before, piece));
      for (let depth = path.length; depth < piece.length; depth++) {
        this.bytes[node] = piece[depth];
        this.depths[node] = depth;
        this.first[node] = i;
        path.push(node++);
      }
      // A shorter or equal piece comes first, so the last node made is where this one ends.
      this.first[node] = i + 1;
      deepest = Math.max(deepest, piece.length);
      before = piece;
    });
    close(0);
    return deepest;
  }
}

/**
 * Ids in the order of their bytes, equal ones ascending.
 *
 * @param {number[]} ids
 * @param {readonly Uint8Array[]} pieces
 * @returns {Uint32Array}
 */
function sorted(ids, pieces) {
  // Four bytes and the id fit a double, and doubles sort several times faster than with a comparison.
  const keys = Float64Array.from(ids, (id) => {
    const piece = pieces[id];
    let head = 0;
    for (let i = 0; i < 4; i++) head = head * 257 + (i < piece.length ? piece[i] + 1 : 0);
    return head * MOST_IDS + id;
  }).sort();
  const order = Uint32Array.from(keys, (key) => key % MOST_IDS);
  for (let start = 0; start < keys.length;) {
    const head = Math.floor(keys[start] / MOST_IDS);
    let end = start + 1;
    while (end < keys.length && Math.floor(keys[end] / MOST_IDS) === head) end++;
    order.subarray(start, end).sort((a, b) => compare(pieces[a], pieces[b]) || a - b);
    start = end;
  }
  return order;
}

/** @param {Uint8Array} a @param {Uint8Array} b */
function compare(a, b) {
  const same = shared(a, b);
  return same === a.length || same === b.length ? a.length - b.length : a[same] - b[same];
}

/** How many bytes two pieces begin with alike. @param {Uint8Array} a @param {Uint8Array} b */
function shared(a, b) {
  const least = Math.min(a.length, b.length);
  let i = 0;
  while (i < least && a[i] === b[i]) i++;
  return i;
}
