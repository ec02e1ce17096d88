/**
 * A template's tree → text. parse.py in the compiler says what the tree is made of; nothing here is
 * ever compiled to code, and every step counts.
 */

import { attribute, element, unpack } from './access.js';
import { filter } from './filters.js';
import { binary, compare, slice, unary } from './operators.js';
import { toText } from './print.js';
import { test } from './tests.js';
import {
  Callable,
  fail,
  Float,
  iterate,
  Loop,
  Namespace,
  put,
  truth,
  Tuple,
  typeName,
  Undefined,
} from './values.js';

/** @import { Budget, Value } from './values.js' */
/** @typedef {any} Node */

/** Names and what they stand for; what is not here may be in `parent`. */
class Scope {
  /** @param {Scope | null} parent @param {Iterable<[string, Value]>} [values] */
  constructor(parent, values) {
    this.parent = parent;
    this.values = new Map(values);
  }

  /** @param {string} name @returns {Value} */
  find(name) {
    const value = this.values.get(name);
    if (value !== undefined) return value;
    return this.parent ? this.parent.find(name) : new Undefined(`'${name}' is undefined`);
  }
}

/** @typedef {'break' | 'continue' | undefined} Leave how a body ended, where a loop should know */

/** One rendering. */
export class Renderer {
  /** @param {Budget} budget @param {Record<string, Value>} globals */
  constructor(budget, globals) {
    this.budget = budget;
    this.globals = new Scope(null, Object.entries(globals));
    this.depth = 0;
  }

  /** @param {Node[]} body @param {Map<string, Value>} values @returns {string} */
  render(body, values) {
    return this.text(body, new Scope(new Scope(this.globals, values)));
  }

  /** @param {Node[]} body @param {Scope} scope @returns {string} */
  text(body, scope) {
    /** @type {string[]} */
    const out = [];
    this.body(body, scope, out);
    return this.budget.text(out.join(''));
  }

  /** @param {Node[]} body @param {Scope} scope @param {string[]} out @returns {Leave} */
  body(body, scope, out) {
    for (const node of body) {
      this.budget.spend(1);
      if (typeof node === 'string') this.write(out, node);
      else {
        this.enter();
        const leave = this.statement(node, scope, out);
        this.depth--;
        if (leave) return leave;
      }
    }
  }

  /** @param {string[]} out @param {string} text */
  write(out, text) {
    this.budget.spend(text.length >> 3);
    out.push(text);
  }

  enter() {
    if (++this.depth > this.budget.depth) fail('it is nested too deep');
  }

  /** @param {Node} node @param {Scope} scope @param {string[]} out @returns {Leave} */
  statement(node, scope, out) {
    const [kind, a, b, c] = node;
    switch (kind) {
      case 'print':
        this.write(out, toText(this.budget, this.value(a, scope)));
        return;
      case 'if':
        for (const [condition, body] of a) {
          if (truth(this.value(condition, scope))) return this.body(body, scope, out);
        }
        return this.body(b, scope, out);
      case 'for':
        return this.loop(node, scope, out);
      case 'set':
        this.assign(a, this.value(b, scope), scope);
        return;
      case 'capture':
        this.assign(a, this.filtered(b, c, scope), scope);
        return;
      case 'filter':
        this.write(out, toText(this.budget, this.filtered(a, b, scope)));
        return;
      case 'macro':
        scope.values.set(a[0], this.macro(a, scope));
        return;
      case 'call':
        this.write(out, toText(this.budget, this.call(a, scope, this.macro(b, scope))));
        return;
      case 'with': {
        const inner = new Scope(scope);
        b.forEach((/** @type {Node} */ value, /** @type {number} */ i) =>
          this.assign(a[i], this.value(value, scope), inner)
        );
        return this.body(c, inner, out);
      }
      case 'scope':
        return this.body(a, new Scope(scope), out);
      case 'break':
      case 'continue':
        return kind;
      default:
        fail(`no statement '${kind}'`);
    }
  }

  /** @param {Node} expr with [body] in it @param {Node[]} body @param {Scope} scope @returns {Value} */
  filtered(expr, body, scope) {
    const text = this.text(body, new Scope(scope));
    return this.value(expr, new Scope(scope, [['', text]]));
  }

  /** @param {Node} node @param {Scope} scope @param {string[]} out @returns {Leave} */
  loop([, target, source, condition, body, other], scope, out) {
    let items = iterate(this.budget, this.value(source, scope));
    if (condition.length) {
      items = Array.from(items).filter((item) => {
        const inner = new Scope(scope);
        this.assign(target, item, inner);
        return truth(this.value(condition[0], inner));
      });
    }
    if (!items.length) return this.body(other, new Scope(scope), out);
    const loop = new Loop(items);
    for (let i = 0; i < items.length; i++) {
      loop.index0 = i;
      this.budget.spend(1);
      const inner = new Scope(scope, [['loop', loop]]);
      this.assign(target, items[i], inner);
      if (this.body(body, inner, out) === 'break') break;
    }
  }

  /** @param {Node} target @param {Value} value @param {Scope} scope */
  assign(target, value, scope) {
    if (typeof target === 'string') {
      scope.values.set(target, value);
    } else if (target[0] === 'ns') {
      const space = scope.find(target[1]);
      if (!(space instanceof Namespace)) fail('cannot assign attribute on non-namespace object');
      space.values.set(target[2], value);
    } else {
      const items = unpack(this.budget, target[1], value);
      target[1].forEach((/** @type {Node} */ each, /** @type {number} */ i) =>
        this.assign(each, items[i], scope)
      );
    }
  }

  /** @param {Node} node @param {Scope} scope the one it is written in @returns {Callable} */
  macro([name, parameters, defaults, body, uses], scope) {
    return new Callable((args, given) => {
      const kwargs = new Map(given);
      const inner = new Scope(scope);
      const first = parameters.length - defaults.length;
      for (let i = 0; i < parameters.length; i++) {
        const parameter = parameters[i];
        let value = args[i];
        if (i >= args.length) {
          value = kwargs.get(parameter);
          if (!kwargs.delete(parameter)) {
            value = i < first
              ? new Undefined(`parameter '${parameter}' was not provided`)
              : this.value(defaults[i - first], inner);
          }
        }
        inner.values.set(parameter, value);
      }
      if (uses.includes('caller') && !parameters.includes('caller')) {
        inner.values.set('caller', kwargs.get('caller') ?? new Undefined('No caller defined'));
        kwargs.delete('caller');
      }
      if (uses.includes('kwargs')) inner.values.set('kwargs', kwargs);
      else if (kwargs.size) {
        fail(`macro '${name}' takes no keyword argument '${[...kwargs.keys()][0]}'`);
      }
      if (uses.includes('varargs')) {
        inner.values.set('varargs', Tuple.from(args.slice(parameters.length)));
      } else if (args.length > parameters.length) {
        fail(`macro '${name}' takes not more than ${parameters.length} argument(s)`);
      }
      return this.text(body, inner);
    });
  }

  /** @param {Node} node @param {Scope} scope @returns {Value} */
  value(node, scope) {
    this.budget.spend(1);
    if (!Array.isArray(node)) return node;
    this.enter();
    const value = this.compute(node, scope);
    this.depth--;
    return value;
  }

  /** @param {Node[]} nodes @param {Scope} scope @returns {Value[]} */
  values(nodes, scope) {
    return nodes.map((node) => this.value(node, scope));
  }

  /** @param {Node} node @param {Scope} scope @returns {Value} */
  compute(node, scope) {
    const [kind, a, b, c] = node;
    const { budget } = this;
    switch (kind) {
      case 'name':
        return scope.find(a);
      case 'attr':
        return attribute(budget, this.value(a, scope), b);
      case 'item':
        return element(budget, this.value(a, scope), this.value(b, scope));
      case 'slice':
        return slice(budget, this.value(a, scope), this.values(node.slice(2), scope));
      case 'call':
        return this.call(node, scope);
      case 'filter':
        return filter(budget, a, this.value(b, scope), this.values(c, scope));
      case 'test':
        return test(budget, a, this.value(b, scope), this.values(c, scope));
      case 'and':
      case 'or': {
        const left = this.value(a, scope);
        return truth(left) === (kind === 'or') ? left : this.value(b, scope);
      }
      case 'not':
        return !truth(this.value(a, scope));
      case '?':
        if (truth(this.value(a, scope))) return this.value(b, scope);
        return node.length > 3 ? this.value(c, scope) : new Undefined('there is no else');
      case 'cmp':
        return this.comparison(node, scope);
      case '~':
        return budget.text(this.joined(a, scope));
      case 'float':
        return new Float(Number(a));
      case 'list':
        return this.values(a, scope);
      case 'tuple':
        return Tuple.from(this.values(a, scope));
      case 'dict':
        return this.dict(a, scope);
      case 'neg':
        return unary(this.value(a, scope), '-');
      case 'pos':
        return unary(this.value(a, scope), '+');
      case 'body':
        return scope.find('');
      case '-':
        if (node.length === 1) return undefined;
    }
    return binary(budget, kind, this.value(a, scope), this.value(b, scope));
  }

  /** @param {Node[]} nodes @param {Scope} scope */
  joined(nodes, scope) {
    const texts = nodes.map((node) => toText(this.budget, this.value(node, scope)));
    this.budget.room(texts.reduce((sum, text) => sum + text.length, 0));
    return texts.join('');
  }

  /** @param {Node} node @param {Scope} scope */
  comparison([, first, rest], scope) {
    let left = this.value(first, scope);
    for (let i = 0; i < rest.length; i += 2) {
      const right = this.value(rest[i + 1], scope);
      if (!compare(this.budget, rest[i], left, right)) return false;
      left = right;
    }
    return true;
  }

  /** @param {Node[]} parts @param {Scope} scope */
  dict(parts, scope) {
    const made = new Map();
    for (let i = 0; i < parts.length; i += 2) {
      const key = this.value(parts[i], scope);
      put(made, key, this.value(parts[i + 1], scope));
    }
    return made;
  }

  /** @param {Node} node @param {Scope} scope @param {Callable} [caller] @returns {Value} */
  call([, callee, args, named = []], scope, caller) {
    const target = this.value(callee, scope);
    const given = this.values(args, scope);
    const kwargs = new Map();
    for (let i = 0; i < named.length; i += 2) {
      kwargs.set(named[i], this.value(named[i + 1], scope));
    }
    if (caller) kwargs.set('caller', caller);
    if (target instanceof Undefined) fail(target.message);
    if (!(target instanceof Callable)) fail(`'${typeName(target)}' object is not callable`);
    return target.call(given, kwargs);
  }
}
