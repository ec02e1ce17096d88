/** Random JSON schemas, values that fit them, and an independent judge of both. */

/** @typedef {{ [keyword: string]: any }} Schema */

const NAMES = ['name', 'age', 'tags', 'Größe', 'a b', 'quote"', 'back\\slash', '😀', 'id', 'x'];
const TEXTS = [
  '',
  'a',
  'red',
  'Ünïcode',
  'two words',
  '"quoted"',
  'line\nbreak',
  '\\',
  '😀',
  '\u2028',
];
/** @type {[string, string][]} */
const CLASSES = [
  ['[a-z]', 'abcxyz'],
  ['[A-F0-9]', 'ABF059'],
  ['\\d', '0123456789'],
  ['\\w', 'aZ_5'],
  ['[äöü€😀]', 'äöü€😀'],
  ['[^a-z"]', 'A1 é\\'],
];

/** A generator of numbers in [0, 1): mulberry32. @param {number} seed */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

export class Generator {
  #random;
  /** @type {Map<string, () => string>} texts of each pattern that was made */
  #samples = new Map();

  /** @param {number} seed */
  constructor(seed) {
    this.#random = randomFrom(seed);
  }

  /** @param {number} count @returns {number} from 0 up to it, without it */
  below(count) {
    return Math.floor(this.#random() * count);
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return list[this.below(list.length)];
  }

  /** @returns {Schema} a whole one */
  schema() {
    /** @type {Schema} */
    const schema = this.part(3);
    const tree = {
      type: 'object',
      properties: {
        value: this.part(0),
        next: { anyOf: [{ $ref: '#/$defs/tree' }, { type: 'null' }] },
      },
      required: ['value', 'next'],
      additionalProperties: false,
    };
    return { ...schema, $defs: { leaf: this.part(1, false), tree } };
  }

  /** @param {number} depth of what may be in it @param {boolean} [refs] @returns {Schema} */
  part(depth, refs = true) {
    const kinds = ['string', 'pattern', 'integer', 'number', 'boolean', 'null', 'enum', 'const'];
    const nested = ['object', 'object', 'object', 'array', 'array', 'anyOf', 'types'];
    switch (this.pick(depth > 0 ? [...nested, ...(refs ? ['ref'] : []), ...kinds] : kinds)) {
      case 'object':
        return this.#object(depth - 1, refs);
      case 'array':
        return this.#array(depth - 1, refs);
      case 'anyOf':
        return {
          anyOf: Array.from({ length: 1 + this.below(3) }, () => this.part(depth - 1, refs)),
        };
      case 'types':
        return {
          type: this.pick([['string', 'null'], ['integer', 'boolean'], ['array', 'number']]),
        };
      case 'ref':
        return { $ref: this.pick(['#/$defs/leaf', '#/$defs/tree']) };
      case 'pattern':
        return { type: 'string', pattern: this.#pattern() };
      case 'string':
        return this.pick([{ type: 'string' }, { type: 'string', minLength: 2, maxLength: 5 }]);
      case 'integer':
        return this.pick([{ type: 'integer' }, this.#range()]);
      case 'enum':
        return { enum: Array.from({ length: 1 + this.below(4) }, () => this.#constant()) };
      case 'const':
        return { const: this.#constant() };
      case 'number':
        return { type: 'number' };
      default:
        return { type: this.pick(['boolean', 'null']) };
    }
  }

  #range() {
    const minimum = this.below(3000) - 1500;
    return { type: 'integer', minimum, maximum: minimum + this.below(2000) };
  }

  #constant() {
    return this.pick([...TEXTS, null, true, 0, -1.5, 1e21, [1, 'a'], { k: [] }, this.below(1000)]);
  }

  /** @param {number} depth @param {boolean} refs */
  #object(depth, refs) {
    const names = NAMES.filter(() => this.below(10) < 4);
    /** @type {Schema} */
    const schema = { type: 'object', properties: {} };
    for (const name of names) schema.properties[name] = this.part(depth, refs);
    const required = names.filter(() => this.below(2) === 0);
    if (required.length > 0) schema.required = required;
    const others = this.below(4);
    if (others < 2) schema.additionalProperties = [false, { type: 'integer' }][others];
    return schema;
  }

  /** @param {number} depth @param {boolean} refs */
  #array(depth, refs) {
    /** @type {Schema} */
    const schema = { type: 'array', items: this.part(depth, refs) };
    const min = this.below(4);
    if (this.below(2) === 0) schema.minItems = min;
    if (this.below(2) === 0) schema.maxItems = min + this.below(3);
    return schema;
  }

  /** A pattern; `#samples` then knows texts of it. */
  #pattern() {
    const parts = Array.from({ length: 1 + this.below(3) }, () => this.#term(1));
    const pattern = `^${parts.map(({ source }) => source).join('')}$`;
    this.#samples.set(pattern, () => parts.map(({ sample }) => sample()).join(''));
    return pattern;
  }

  /** @param {number} depth @returns {{ source: string, sample: () => string }} */
  #term(depth) {
    const [source, alphabet] = this.pick(CLASSES);
    let atom = { source, sample: () => this.pick([...alphabet]) };
    if (depth > 0 && this.below(3) === 0) {
      const parts = [this.#term(depth - 1), this.#term(depth - 1)];
      atom = {
        source: `(${parts.map((part) => part.source).join('|')})`,
        sample: () => this.pick(parts).sample(),
      };
    }
    const [mark, least, most] = this.pick(
      /** @type {[string, number, number][]} */ ([
        ['', 1, 1],
        ['?', 0, 1],
        ['*', 0, 4],
        ['+', 1, 4],
        ['{2}', 2, 2],
        ['{1,3}', 1, 3],
      ]),
    );
    const sample = () =>
      Array.from({ length: least + this.below(most - least + 1) }, atom.sample).join('');
    return { source: atom.source + mark, sample };
  }

  /**
   * A value that fits, its properties in order.
   *
   * @param {Schema} schema
   * @param {Schema} [root]
   * @returns {any}
   */
  value(schema, root = schema, depth = 0) {
    if ('const' in schema) return schema.const;
    if ('enum' in schema) return this.pick(schema.enum);
    if (schema.$ref) return this.value(root.$defs[schema.$ref.slice(8)], root, depth + 1);
    if (schema.anyOf) {
      const part = depth > 6 ? schema.anyOf.at(-1) : this.pick(schema.anyOf);
      return this.value(part, root, depth + 1);
    }
    return this.#ofType(this.pick([schema.type].flat()), schema, root, depth + 1);
  }

  /** @param {string} type @param {Schema} schema @param {Schema} root @param {number} depth @returns {any} */
  #ofType(type, schema, root, depth) {
    switch (type) {
      case 'string':
        return this.#string(schema);
      case 'integer': {
        const { minimum = -1e6, maximum = 1e15 } = schema;
        return minimum + this.below(maximum - minimum + 1);
      }
      case 'number':
        return this.pick([0, 5, -0.25, 5e-324, 1.5e300, 123456789012345680000, this.#double()]);
      case 'boolean':
        return this.below(2) === 1;
      case 'array': {
        const { items = { type: 'null' }, minItems = 0, maxItems = minItems + 2 } = schema;
        const length = minItems + this.below(maxItems - minItems + 1);
        return Array.from({ length }, () => this.value(items, root, depth));
      }
      case 'object':
        return this.#members(schema, root, depth);
      default:
        return null;
    }
  }

  /** Of any size below 10³⁰⁸, with all the digits that a double may have. */
  #double() {
    const digits = this.#random() + this.#random() * 2 ** -32 - 0.5;
    return digits * 10 ** this.pick([0, -this.below(8), this.below(24), this.below(630) - 322]);
  }

  /** @param {Schema} schema */
  #string({ pattern, minLength = 0, maxLength = 6 }) {
    if (pattern) return /** @type {() => string} */ (this.#samples.get(pattern))();
    const length = minLength + this.below(maxLength - minLength + 1);
    return Array.from({ length }, () => this.pick([...'ab"\\\n\u0001\u007fé€😀/'])).join('');
  }

  /** @param {Schema} schema @param {Schema} root @param {number} depth */
  #members({ properties, required = [], additionalProperties }, root, depth) {
    /** @type {Schema} */
    const value = {};
    for (const [name, part] of Object.entries(properties)) {
      if (required.includes(name) || this.below(2) === 0) {
        value[name] = this.value(part, root, depth);
      }
    }
    if (additionalProperties) {
      for (const name of ['nam', 'names', 'Größ', 'ü', 'q"']) {
        if (this.below(3) === 0) value[name] = this.value(additionalProperties, root, depth);
      }
    }
    return value;
  }
}

/**
 * Whether a value fits a schema, as the specification has it.
 *
 * @param {any} value
 * @param {Schema | boolean} schema
 * @param {Schema} root
 * @returns {boolean}
 */
export function valid(value, schema, root) {
  if (typeof schema === 'boolean') return schema;
  /** @type {Record<string, (wanted: any) => boolean>} */
  const rules = {
    $ref: (pointer) => valid(value, pointer === '#' ? root : root.$defs[pointer.slice(8)], root),
    anyOf: (parts) => parts.some((/** @type {Schema} */ part) => valid(value, part, root)),
    const: (wanted) => JSON.stringify(value) === JSON.stringify(wanted),
    enum: (list) =>
      list.some((/** @type {any} */ one) => JSON.stringify(one) === JSON.stringify(value)),
    type: (types) => [types].flat().some((type) => isOfType(value, type)),
    minimum: (least) => typeof value !== 'number' || value >= least,
    maximum: (most) => typeof value !== 'number' || value <= most,
    minLength: (least) => typeof value !== 'string' || [...value].length >= least,
    maxLength: (most) => typeof value !== 'string' || [...value].length <= most,
    pattern: (source) => typeof value !== 'string' || new RegExp(source, 'u').test(value),
    minItems: (least) => !Array.isArray(value) || value.length >= least,
    maxItems: (most) => !Array.isArray(value) || value.length <= most,
    items: (part) => !Array.isArray(value) || value.every((one) => valid(one, part, root)),
    required: (names) =>
      !isOfType(value, 'object') ||
      names.every((/** @type {string} */ name) => Object.hasOwn(value, name)),
    properties: (parts) =>
      !isOfType(value, 'object') ||
      Object.entries(parts).every(([name, part]) =>
        !Object.hasOwn(value, name) || valid(value[name], part, root)
      ),
    additionalProperties: (part) =>
      !isOfType(value, 'object') ||
      Object.entries(value).every(([name, one]) =>
        Object.hasOwn(schema.properties ?? {}, name) || valid(one, part, root)
      ),
    $defs: () => true,
  };
  return Object.entries(schema).every(([keyword, wanted]) => rules[keyword](wanted));
}

/** @param {unknown} value @param {string} type */
function isOfType(value, type) {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type && value !== null && !Array.isArray(value);
}
