import { assert, assertEquals } from './assert.js';
import { tokenLogprob } from '../../runtime_js/runtime/logprobs.js';

Deno.test('probabilities of all tokens sum to one, however large the logits', () => {
  for (const scale of [1, 1e3, 1e30]) {
    const logits = Float32Array.from({ length: 500 }, () => scale * (Math.random() - 0.5));
    const { id, logprob, offset, top } = tokenLogprob(logits, 7, 500, 3);
    assertEquals([id, offset, top.length], [7, 3, 500]);
    const sum = top.reduce((total, each) => total + Math.exp(each.logprob), 0);
    assert(Math.abs(sum - 1) < 1e-9, `${sum}`);
    assertEquals(top.find((each) => each.id === 7)?.logprob, logprob);
  }
});

Deno.test('the likeliest come first, of equal ones the lowest id', () => {
  const logits = Float32Array.of(1, 3, 2, 3, -1);
  assertEquals(tokenLogprob(logits, 0, 3, 0).top.map(({ id }) => id), [1, 3, 2]);
  assertEquals(tokenLogprob(logits, 0, 0, 0).top, []);
  const many = Float32Array.from({ length: 3000 }, () => Math.round(50 * Math.random()));
  const sorted = [...many.keys()].sort((a, b) => many[b] - many[a] || a - b);
  assertEquals(tokenLogprob(many, 0, 20, 0).top.map(({ id }) => id), sorted.slice(0, 20));
});
