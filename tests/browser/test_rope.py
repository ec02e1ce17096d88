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
  const { loadModel } = await import(`${base}runtime/load.js`);
  const { readLogits } = await import(`${base}runtime/logits.js`);
  const { signal } = new AbortController();
  const { model } = await loadModel(new URL(base), undefined, signal, () => {});
  const prompt = ids.slice(0, -count);
  const sinks = 4;
  const rows = await readLogits(model, prompt, { prefill: true, last: 1, sinks });
  const { manifest, device } = model;
  const view = manifest.views[manifest.logits];
  const size = 4 * manifest.model.vocabulary;
  const buffer = device.readbackBuffer(size);
  for (let position = prompt.length; position < ids.length; position += 1) {
    model.writeTokens(position, [ids[position]]);
    model.writeState({ position, n_tokens: 1, sinks });
    model.submit(model.programs.decodeLogits);
    const encoder = device.gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(model.buffers[view.buffer], view.offset, buffer, 0, size);
    device.queue.submit([encoder.finish()]);
    rows.push(new Float32Array(await device.read(buffer, size)));
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
