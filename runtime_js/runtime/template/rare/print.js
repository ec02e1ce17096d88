/** Values as text: `repr` and `json.dumps` of Python. */

import {
  asNumber,
  fail,
  Float,
  Markup,
  plain,
  Range,
  Tuple,
  typeName,
  Undefined,
  View,
} from '../values.js';

/** @import { Budget, Value } from '../values.js' */

// What str.isprintable() has something against, but the space.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]/u;
/** @type {Record<string, string>} */
const ESCAPES = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** @param {number} n */
function floatText(n) {
  if (Number.isNaN(n)) return 'nan';
  if (!Number.isFinite(n)) return n < 0 ? '-inf' : 'inf';
  if (Object.is(n, -0)) return '-0.0';
  const [digits, exponent] = n.toExponential().split('e');
  const e = Number(exponent);
  if (n !== 0 && (e < -4 || e >= 16)) {
    return `${digits}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`;
  }
  return Number.isInteger(n) ? `${n}.0` : String(n);
}

/** @param {Budget} budget @param {Value} value @param {number} [depth] @returns {string} */
export function repr(budget, value, depth = 0) {
  budget.spend(1);
  if (depth > 200) fail('a value is nested too deep');
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return textRepr(budget.text(value));
  if (value instanceof Markup) return `Markup(${textRepr(budget.text(value.text))})`;
  if (value instanceof Float) return floatText(value.n);
  if (value instanceof Undefined) return 'Undefined';
  /** @param {Value} item */
  const inner = (item) => repr(budget, item, depth + 1);
  if (value instanceof Map) {
    const pairs = Array.from(value, ([key, item]) => `${inner(key)}: ${inner(item)}`);
    return budget.text(`{${pairs.join(', ')}}`);
  }
  if (value instanceof View) return `dict_${value.kind}([${value.items.map(inner).join(', ')}])`;
  if (!Array.isArray(value) || value instanceof Range) {
    return fail(`a '${typeName(value)}' object has no text`);
  }
  const items = Array.from(value, inner).join(', ');
  if (!(value instanceof Tuple)) return budget.text(`[${items}]`);
  return budget.text(`(${items}${value.length === 1 ? ',' : ''})`);
}

/** @param {string} text */
function textRepr(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let result = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (char === quote) result += `\\${char}`;
    else if (ESCAPES[char]) result += ESCAPES[char];
    else if (char === ' ' || !UNPRINTABLE.test(char)) result += char;
    else if (code < 0x100) result += `\\x${hex(code, 2)}`;
    else result += code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  }
  return quote + result + quote;
}

/** @param {number} code @param {number} width */
const hex = (code, width) => code.toString(16).padStart(width, '0');

/**
 * @typedef {object} Style
 * @property {boolean} ascii
 * @property {string | null} indent
 * @property {string} comma
 * @property {string} colon
 * @property {boolean} sorted
 *
 * @param {Budget} budget
 * @param {Value} value
 * @param {Style} style
 * @param {string} [margin]
 * @returns {string} as `json.dumps(value, …)`
 */
export function toJson(budget, value, style, margin = '\n') {
  budget.spend(1);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return String(value);
  if (value instanceof Float) return floatJson(value.n);
  value = plain(value);
  if (typeof value === 'string') return quoted(budget, value, style);
  const list = Array.isArray(value) && !(value instanceof Range);
  if (!list && !(value instanceof Map)) {
    fail(`Object of type ${typeName(value)} is not JSON serializable`);
  }
  const { indent, colon } = style;
  if (margin.length > 200 * (1 + (indent?.length ?? 1))) fail('a value is nested too deep');
  const inside = margin + (indent ?? ' ');
  const parts = list
    ? Array.from(value, (item) => toJson(budget, item, style, inside))
    : sorted(value, style).map(([key, item]) =>
      quoted(budget, keyText(key), style) + colon + toJson(budget, item, style, inside)
    );
  const [open, close] = list ? '[]' : '{}';
  if (!parts.length) return open + close;
  if (indent === null) return budget.text(open + parts.join(style.comma) + close);
  return budget.text(open + inside + parts.join(style.comma + inside) + margin + close);
}

/** @param {Map<Value, Value>} dict @param {Style} style @returns {[Value, Value][]} */
function sorted(dict, style) {
  const pairs = [...dict];
  if (!style.sorted) return pairs;
  if (!pairs.every(([key]) => typeof key === 'string')) fail('sort_keys needs keys that are texts');
  return pairs.sort(([a], [b]) => compareTexts(a, b));
}

/** @param {Value} key */
function keyText(key) {
  return typeof key === 'string' ? key : key === null ? 'null' : floatOrInt(key);
}

/** @param {Value} key */
const floatOrInt = (key) => key instanceof Float ? floatJson(key.n) : String(key);

/** @param {number} n */
function floatJson(n) {
  return floatText(n).replace('nan', 'NaN').replace('inf', 'Infinity');
}

/** @param {Budget} budget @param {string} text @param {Style} style */
function quoted(budget, text, style) {
  const json = JSON.stringify(budget.text(text));
  if (!style.ascii) return json;
  return json.replace(/[^ -~]/g, (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`);
}

/** @param {string} a @param {string} b @returns {number} order by code points */
export function compareTexts(a, b) {
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (a[i] !== b[i]) {
      const x = a.codePointAt(i) ?? 0;
      const y = b.codePointAt(i) ?? 0;
      // Inside a pair, the first units decided already, or are the same.
      return x - y;
    }
  }
  return a.length - b.length;
}

/** @param {Value} value indent of `tojson` @returns {string | null} */
export function indentOf(value) {
  if (value === null || value === undefined) return null;
  value = plain(value);
  if (typeof value === 'string') return value;
  const width = asNumber(value);
  if (width === undefined || value instanceof Float || width > 1000) fail('a bad indent');
  return ' '.repeat(Math.max(Number(width), 0));
}
