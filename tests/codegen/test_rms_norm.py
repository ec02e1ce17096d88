"""The rms_norm kernel against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from mdst.codegen.kernels.rms_norm import RmsNorm
from mdst.codegen.templates import render
from mdst.hosts.wgpu_device import Device
from mdst.validate.case import state_words
from mdst.validate.reference.rms_norm import rms_norm


@pytest.mark.parametrize(("width", "epsilon"), [(4, 0.5), (1020, 1e-6), (2052, 1e-5)])
def test_matches_reference(
    device: Device, rng: np.random.Generator, width: int, epsilon: float
) -> None:
    params = RmsNorm(width, epsilon, weight=3)
    x = rng.standard_normal((4, width)).astype(np.float32) * 0.01
    w = rng.standard_normal(12 + width).astype(np.float32)
    data = {
        "state": state_words(n_tokens=3).data(),
        "w": w,
        "x": x,
        "out": np.full((4, width), 7.5, np.float32),
    }
    found = device.run(render(params, device.tier), data, params.grid(device.tier, 4))
    out = found["out"].view(np.float32).reshape(4, width)
    expected = rms_norm(x[:3].astype(np.float64), w[12:].astype(np.float64), epsilon)
    assert np.sum((out[:3] - expected) ** 2) <= 1e-12 * np.sum(expected**2)
    assert (out[3] == 7.5).all()  # not one of this step's tokens


def test_does_nothing_when_done(device: Device) -> None:
    params = RmsNorm(8, 1e-5, weight=0)
    ones = np.ones(8, np.float32)
    data = {"state": state_words(n_tokens=1, done=1).data(), "w": ones, "x": ones, "out": 3 * ones}
    found = device.run(render(params, device.tier), data, params.grid(device.tier, 1))
    assert (found["out"].view(np.float32) == 3).all()
