"""Known answers of the sampler: they pass where the kernel is right, and fail where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.kernel import KernelParams
from mdst.codegen.kernels.sample_prepare import SamplePrepare
from mdst.codegen.kernels.sample_select import SampleSelect
from mdst.codegen.templates import render
from mdst.hosts.wgpu_device import Device
from mdst.validate.case import Case
from mdst.validate.cases import sample_prepare, sample_select

SIZES = (7, 1026, 5000, 128_256)


def prepare_case(device: Device, n_vocab: int) -> tuple[SamplePrepare, Case]:
    params = SamplePrepare(n_vocab)
    return params, sample_prepare.case(params, device.tier, 1)


def select_case(device: Device, n_vocab: int) -> tuple[SampleSelect, Case]:
    params = SampleSelect(n_vocab, 33, SamplePrepare(n_vocab).groups)
    return params, sample_select.case(params, device.tier, 1)


def holds(case: Case, result: dict[str, npt.NDArray[np.uint8]]) -> bool:
    error = size = 0.0
    for part in case.expected:
        count = len(part.floats or part.words)
        data = result[part.binding][part.offset : part.offset + 4 * count]
        if part.words and data.view(np.uint32).tolist() != list(part.words):
            return False
        if part.floats:
            error += float(((data.view(np.float32) - np.array(part.floats)) ** 2).sum())
            size += float((np.array(part.floats) ** 2).sum())
    return error <= case.tolerance * size


@pytest.mark.parametrize("n_vocab", SIZES)
@pytest.mark.parametrize("make", [prepare_case, select_case])
def test_known_answers(
    device: Device, make: Callable[[Device, int], tuple[KernelParams, Case]], n_vocab: int
) -> None:
    params, case = make(device, n_vocab)
    assert set(case.sizes) == {b.name for b in params.bindings}
    result = device.run(render(params, device.tier), case.contents(), case.grid)
    assert holds(case, result)
    for i, part in enumerate(case.expected):
        changed = (
            replace(part, words=(part.words[0] ^ 1, *part.words[1:]))
            if part.words
            else replace(part, floats=(part.floats[0] + 0.01, *part.floats[1:]))
        )
        wrong = replace(case, expected=(*case.expected[:i], changed, *case.expected[i + 1 :]))
        assert not holds(wrong, result)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("q.cutoff = select(cutoff, min(cutoff, q.cutoff), q.last == q.limit);", "q.cutoff = ALL;"),
        ("atomicAdd(&bin_high[bin], 1u)", "atomicAdd(&bin_high[bin], 0u)"),
        ("q.temperature = s.temperature;", ""),
        ("round < 10u", "round < 9u"),
        ("if (index < QUADS) {", "if (index + 1u < QUADS) {"),
    ],
)
def test_a_broken_kernel_is_noticed(device: Device, old: str, new: str) -> None:
    params, case = select_case(device, 5000)
    kernel = render(params, device.tier)
    assert old in kernel.wgsl
    broken = replace(kernel, wgsl=kernel.wgsl.replace(old, new))
    assert not holds(case, device.run(broken, case.contents(), case.grid))
