/**
 * What a template computes with: Python's values, as far as JavaScript's are not the same.
 *
 *     None null · bool boolean · int number · float Float · str string · list Array
 *     tuple Tuple · range Range · dict Map
 *
 * Python's text is a sequence of code points, JavaScript's of UTF-16 units: `chars` and `textLength`
 * count as Python does.
 */

import { MdstError } from '../errors.js';

/** @typedef {any} Value */
/** @typedef {typeof import('./rare/rare.js')} Rare */

/** @param {string} message @returns {never} @throws {MdstError} 'invalid_request' */
export function fail(message) {
  throw new MdstError('invalid_request', `the chat template: ${message}`);
}

/** A rendering came to what few templates use, without it. */
export class Missing extends Error {}

/** Steps, depth and sizes that a rendering may take, and what it may need besides. */
export class Budget {
  /** @param {Rare} [parts] */
  constructor(parts) {
    this.parts = parts;
    this.steps = 4_000_000;
    this.depth = 1000;
    this.size = 1 << 22;
  }

  /** @returns {Rare} @throws {Missing} where it was not given */
  get rare() {
    if (!this.parts) throw new Missing();
    return this.parts;
  }

  /** @param {number} steps */
  spend(steps) {
    if ((this.steps -= steps) < 0) fail('it takes too many steps');
  }

  /** A text that was made, or is read. @param {string} text */
  text(text) {
    this.room(text.length);
    return text;
  }

  /** @param {number} length of a text or list about to be made */
  room(length) {
    if (length > this.size) fail('it makes too long a text or list');
    this.spend(1 + (length >> 5));
  }
}

export class Float {
  /** @param {number} n */
  constructor(n) {
    this.n = n;
  }
}

export class Tuple extends Array {}

export class Range extends Array {}

/** A text that `safe` marked: what `+` joins to it is escaped for HTML. */
export class Markup {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/** The absent value; whatever needs more of it than its absence fails with `message`. */
export class Undefined {
  /** @param {string} message */
  constructor(message) {
    this.message = message;
  }
}

/** Of `namespace()`. */
export class Namespace {
  /** @param {Map<string, Value>} values */
  constructor(values) {
    this.values = values;
  }
}

/** `items`, `keys` or `values` of a dict: has a length, but no places. */
export class View {
  /** @param {string} kind @param {Value[]} items */
  constructor(kind, items) {
    this.kind = kind;
    this.items = items;
  }
}

/** A generator or iterator: always true, made when it is first read, and empty after that. */
export class Lazy {
  /** @param {() => Value[]} make */
  constructor(make) {
    /** @type {(() => Value[]) | null} */
    this.make = make;
    /** @type {Value[]} */
    this.left = [];
  }

  /** @returns {Value[]} what is left; whoever reads an item takes it out */
  items() {
    const { make } = this;
    this.make = null;
    if (make) this.left = make();
    return this.left;
  }
}

/** A function, macro or method. */
export class Callable {
  /** @param {(args: Value[], kwargs: Map<string, Value>) => Value} call */
  constructor(call) {
    this.call = call;
  }
}

/** What `loop` is in the body of a loop. */
export class Loop {
  /** @param {Value[]} items */
  constructor(items) {
    this.items = items;
    this.index0 = 0;
    /** @type {Value} */
    this.seen = undefined;
  }
}

/** @type {[Function, string][]} */
const NAMES = [
  [Float, 'float'],
  [Tuple, 'tuple'],
  [Range, 'range'],
  [Array, 'list'],
  [Map, 'dict'],
  [Undefined, 'Undefined'],
  [Markup, 'str'],
  [Namespace, 'Namespace'],
  [Lazy, 'generator'],
  [Loop, 'LoopContext'],
];

/** @param {Value} value @returns {string} Python's name of its type */
export function typeName(value) {
  switch (typeof value) {
    case 'string':
      return 'str';
    case 'number':
      return 'int';
    case 'boolean':
      return 'bool';
  }
  if (value === null) return 'NoneType';
  if (value instanceof View) return `dict_${value.kind}`;
  return NAMES.find(([kind]) => value instanceof kind)?.[1] ?? 'function';
}

/** @param {Value} value a text without its mark, or what it is */
export const plain = (value) => value instanceof Markup ? value.text : value;

/** @param {Value} value the number that it is in arithmetic, else undefined */
export function asNumber(value) {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  return value instanceof Float ? value.n : undefined;
}

/** @param {number} n @returns {number} @throws beyond 2^53, where integers are no longer exact */
export function int(n) {
  return Number.isSafeInteger(n) ? n + 0 : fail('it computes an integer beyond 2^53');
}

/** @param {Value} value */
export const isInt = (value) => typeof value === 'number' || typeof value === 'boolean';

/** @param {Value} value @returns {number} of an argument that must be an integer */
export const toInt = (value) =>
  isInt(value) ? Number(value) : fail(`'${typeName(value)}' object is no integer`);

/** @param {string} text */
const wide = (text) => /[\ud800-\udbff]/.test(text);

/** @param {string} text @returns {string[]} its code points */
export const chars = (text) => wide(text) ? Array.from(text) : text.split('');

/** @param {string} text */
export const textLength = (text) => wide(text) ? Array.from(text).length : text.length;

/** @param {Value} value as `bool(value)` */
export function truth(value) {
  value = plain(value);
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  if (value instanceof Float) return value.n !== 0;
  if (value instanceof View) return value.items.length > 0;
  return !(value instanceof Undefined) && (typeof value === 'object' ? value !== null : !!value);
}

/** @param {Value} value @returns {number | undefined} as `len(value)` */
export function lengthOf(value) {
  value = plain(value);
  if (typeof value === 'string') return textLength(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  if (value instanceof View || value instanceof Loop) return value.items.length;
  return value instanceof Undefined ? 0 : undefined;
}

/** @param {Value} value */
export function isIterable(value) {
  return lengthOf(value) !== undefined || value instanceof Lazy;
}

/** @param {Budget} budget @param {Value} value @returns {Value[]} its items, to be read only */
export function iterate(budget, value) {
  value = plain(value);
  const items = itemsOf(value);
  budget.spend(items.length);
  return items;
}

/** @param {Value} value @returns {Value[]} */
function itemsOf(value) {
  if (Array.isArray(value)) return value;
  if (typeof value === 'string') return chars(value);
  if (value instanceof Map) return [...value.keys()];
  if (value instanceof View) return value.items;
  if (value instanceof Undefined) return [];
  if (value instanceof Lazy) return value.items().splice(0);
  return fail(`'${typeName(value)}' object is not iterable`);
}

/**
 * @param {Value} value
 * @returns {string | number | null | undefined} what it is as a key; undefined for what can be none.
 *   1.0 and True are the key 1 in Python, too
 */
export function keyOf(value) {
  value = plain(value);
  if (value === null || typeof value === 'string') return value;
  return asNumber(value);
}

/** @param {Value} value @throws for what can be no key in Python either */
export function checkKey(value) {
  const type = typeName(value);
  if (type === 'list' || type === 'dict') fail(`unhashable type: '${type}'`);
  if (type === 'tuple') value.forEach(checkKey);
}

/** @param {Map<Value, Value>} dict @param {Value} key @param {Value} value */
export function put(dict, key, value) {
  key = plain(key);
  if (key !== null && typeof key !== 'string' && typeof key !== 'number') {
    fail(`a dict with a key of the type '${typeName(key)}' is not supported`);
  }
  dict.set(key, value);
}

/** @param {Budget} budget @param {any} data JSON or the like @param {number} [depth] @returns {Value} */
export function fromJson(budget, data, depth = 0) {
  budget.spend(1);
  if (depth > 200) fail('the conversation is nested too deep');
  if (typeof data === 'string') return budget.text(data);
  if (typeof data === 'number') return Number.isSafeInteger(data) ? data + 0 : new Float(data);
  if (typeof data === 'boolean') return data;
  if (Array.isArray(data)) {
    return Array.from(data, (/** @type {any} */ item) => fromJson(budget, item, depth + 1));
  }
  if (data === null || typeof data !== 'object') return null;
  const dict = new Map();
  for (const [key, value] of Object.entries(data)) {
    if (value !== undefined) dict.set(key, fromJson(budget, value, depth + 1));
  }
  return dict;
}
