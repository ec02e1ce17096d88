"""Block records: what they mean, how exact they are and where each number lies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mdst.quant.records import BLOCK, SMALLEST, mean_square, quantise, record_words, values

Floats = npt.NDArray[np.float32]
TOKENS, BLOCKS = 5, 7
WIDTH = BLOCK * BLOCKS


def parts(records: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int8], Floats]:
    """Codes [T, B, 32] and numbers [T, B, 4], taken out one by one as the layout says."""
    tokens, blocks = records.shape[0], records.shape[1] // 12
    raw = records.tobytes()
    codes = np.empty((tokens, blocks, BLOCK), np.int8)
    numbers = np.empty((tokens, blocks, 4), np.float32)
    for t in range(tokens):
        for b in range(blocks):
            low, high, about = (
                raw[16 * (3 * blocks * t + run * blocks + b) :][:16] for run in range(3)
            )
            codes[t, b] = np.frombuffer(low + high, np.int8)
            numbers[t, b] = np.frombuffer(about, "<f4")
    return codes, numbers


@pytest.fixture
def x(rng: np.random.Generator) -> Floats:
    """Blocks of very different sizes."""
    sizes = 10.0 ** rng.uniform(-6, 6, (TOKENS, BLOCKS, 1))
    return (rng.standard_normal((TOKENS, BLOCKS, BLOCK)) * sizes).astype("f4").reshape(TOKENS, -1)


@pytest.fixture
def gamma(rng: np.random.Generator) -> Floats:
    return rng.standard_normal(WIDTH, np.float32)


@pytest.mark.parametrize("width", [32, 64, 4096])
def test_record_words(width: int) -> None:
    records = quantise(np.ones((2, width), np.float32))
    assert records.dtype == np.uint32
    assert records.shape == (2, record_words(width))


@pytest.mark.parametrize("weighted", [False, True])
def test_values_are_within_half_a_step(x: Floats, gamma: Floats, weighted: bool) -> None:
    records = quantise(x, gamma if weighted else None)
    scaled = (x * gamma if weighted else x).reshape(TOKENS, BLOCKS, BLOCK).astype(np.float64)
    _, numbers = parts(records)
    step = numbers[:, :, :1].astype(np.float64)
    top = np.abs(scaled).max(axis=2, keepdims=True)
    np.testing.assert_allclose(step, top / 127, rtol=1e-6)
    found = values(records).reshape(scaled.shape)
    # Beside the half there are the roundings of float32: of 127 / top, of a product, of top / 127.
    assert (np.abs(found - scaled) <= step * (0.5 + 1e-4)).all()
    # The largest value of a block is met, and its sign.
    at = np.abs(scaled).argmax(axis=2, keepdims=True)
    largest = np.take_along_axis(scaled, at, axis=2)
    np.testing.assert_allclose(np.take_along_axis(found, at, axis=2), largest, rtol=1e-6)


def test_layout(x: Floats) -> None:
    """Codes, and beside them a scale and the sums of both halves, which are exact: a scale times an
    integer, rounded once."""
    codes, numbers = parts(quantise(x))
    blocks = x.reshape(TOKENS, BLOCKS, BLOCK)
    scale = numbers[:, :, 0]
    np.testing.assert_allclose(codes, blocks / scale[:, :, None].astype(np.float64), atol=0.501)
    assert (np.abs(codes.astype(int)).max(axis=2) == 127).all()
    sums = codes.reshape(TOKENS, BLOCKS, 2, 16).sum(axis=3).astype(np.float32)
    np.testing.assert_array_equal(numbers[:, :, 1:3], scale[:, :, None] * sums)


def test_squares_are_those_before_the_weight(x: Floats, gamma: Floats) -> None:
    exact = x.astype(np.float64) ** 2
    _, plain = parts(quantise(x))
    _, weighted = parts(quantise(x, gamma))
    blocks = exact.reshape(TOKENS, BLOCKS, BLOCK).sum(axis=2)
    np.testing.assert_allclose(plain[:, :, 3], blocks, rtol=1e-5)
    np.testing.assert_array_equal(plain[:, :, 3], weighted[:, :, 3])
    means = exact.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(mean_square(quantise(x, gamma)), means, rtol=1e-5)


def test_a_norm_from_records(rng: np.random.Generator) -> None:
    """RMS norm of x is what its records mean, divided by the root of the mean square they tell."""
    x, gamma = rng.standard_normal((3, 512), np.float32), rng.standard_normal(512, np.float32)
    records = quantise(x, gamma)
    found = values(records) / np.sqrt(mean_square(records) + 1e-5)
    wide = x.astype(np.float64)
    exact = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-5) * gamma
    assert np.sum((found - exact) ** 2) <= 1e-4 * np.sum(exact**2)


def test_whole_numbers_come_back(rng: np.random.Generator) -> None:
    """Where the step is a power of two nothing is lost."""
    codes = rng.integers(-127, 128, (TOKENS, BLOCKS, BLOCK)).astype(np.float32)
    codes[:, :, 3] = 127 * rng.choice([-1, 1], (TOKENS, BLOCKS))
    x = (codes * 2.0 ** rng.integers(-60, 50, (TOKENS, BLOCKS, 1))).astype(np.float32)
    found = values(quantise(x.reshape(TOKENS, -1)))
    np.testing.assert_array_equal(found, x.reshape(TOKENS, -1))


@pytest.mark.parametrize("size", [0.0, 1e-45, 1e-38, 1e-31, float(SMALLEST)])
def test_blocks_of_next_to_nothing_are_zeros(x: Floats, size: float) -> None:
    """They keep no code, no scale and no sum; their neighbours know nothing of it."""
    expected = quantise(x)
    blocks = x.reshape(TOKENS, BLOCKS, BLOCK)
    blocks[2, 3] = size
    blocks[2, 3, 5] = -size
    codes, numbers = parts(quantise(x))
    assert not codes[2, 3].any()
    assert not numbers[2, 3, :3].any()
    codes_before, numbers_before = parts(expected)
    others = np.ones((TOKENS, BLOCKS), bool)
    others[2, 3] = False
    np.testing.assert_array_equal(codes[others], codes_before[others])
    np.testing.assert_array_equal(numbers[others], numbers_before[others])


@pytest.mark.parametrize("size", [2e-30, 1e-20, 1e18])
def test_sizes_at_the_ends_of_the_range(rng: np.random.Generator, size: float) -> None:
    x = (rng.uniform(-1, 1, (2, 64)) * size).astype(np.float32)
    found = values(quantise(x))
    assert np.isfinite(found).all()
    steps = np.abs(x.reshape(2, 2, 32)).max(axis=2, keepdims=True) / 127
    assert (np.abs(found.reshape(2, 2, 32) - x.reshape(2, 2, 32)) <= 0.5001 * steps).all()


def test_tokens_do_not_meet(x: Floats, gamma: Floats) -> None:
    together = quantise(x, gamma)
    for t in range(TOKENS):
        np.testing.assert_array_equal(quantise(x[t : t + 1], gamma)[0], together[t])
