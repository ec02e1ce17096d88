"""Rotations far from the beginning: logits at positions from 4,000 on, against the numpy host's."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mdst.bundle.reader import Bundle
from mdst.hosts.host import Host, Request

if TYPE_CHECKING:
    from playwright.sync_api import Page

DECODE = """async ([ids, count]) => {
  const { loadModel } = await import(`${base}sources/runtime/load.js`);
  const { readLogits } = await import(`${base}sources/runtime/logits.js`);
  const { signal } = new AbortController();
  const wanted = { base: new URL(base), device: 'webgpu' };
  const { model } = await loadModel(wanted, signal, () => {});
  const prompt = ids.slice(0, -count);
  const rows = await readLogits(model, prompt, { prefill: true, last: 1, sinks: 4 });
  for (let position = prompt.length; position < ids.length; position += 1) {
    model.feed(position, ids[position]);
    rows.push(await model.logits());
  }
  model.close();
  return packed(rows);
}"""
"""The first row is that of a long prompt, the others follow by decoding."""


BOUND = 1e-10
"""Where weights are random, attention is spread over thousands of keys, and wrong angles show
little: errors of 1e-3 give about this. Right ones give 1e-13."""


def test_logits_at_late_positions(
    tiny_model: Callable[..., Path],
    compiled: Callable[..., Bundle],
    host_of: Callable[[Bundle, str], Host],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> None:
    path = tiny_model(layers=1, context=4200, heads=(2, 1))
    bundle = compiled(path, kv="f32", context=4200, chunk=128)
    count, late = 8, 4090
    ids = [int(id) for id in np.random.default_rng(6).integers(0, 300, late + count)]
    host = host_of(bundle, "numpy")
    host.start(Request())
    host.prefill(ids[:late])
    expected = np.array([host.logits().copy(), *(host.decode_logits(id) for id in ids[late:])])

    packed = open_page(serve(bundle.path)).evaluate(DECODE, [ids, count])
    found = np.frombuffer(base64.b64decode(packed), "<f4").reshape(expected.shape)
    errors = np.sum((found - expected) ** 2, 1) / np.sum(expected**2, 1)
    assert np.all(errors <= BOUND)
