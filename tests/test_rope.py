"""Rotary tables against the definition in higher precision, and bit for bit."""

from __future__ import annotations

import hashlib
from decimal import Context, Decimal, localcontext

import numpy as np
import numpy.typing as npt
import pytest

from mdst.codegen.state import MAX_POSITION
from mdst.rope import position_angles, rope_tables, rotate

_PI = Decimal("3.141592653589793238462643383279502884197169399375105820974944592")


def _sine(angle: Decimal) -> Decimal:
    """Power series after reduction to [−π, π]."""
    angle -= (angle / (2 * _PI)).to_integral_value() * 2 * _PI
    term = total = angle
    for n in range(1, 30):
        term *= -angle * angle / (2 * n * (2 * n + 1))
        total += term
    return total


def _expected(
    dimension: int, base: float, factor: float, divisors: list[float], position: int
) -> npt.NDArray[np.float64]:
    """cos and sin [dimension / 2, 2] by another route: a power, and series of 50 digits."""
    with localcontext(Context(prec=50)):
        rows = []
        for d, divisor in enumerate(divisors):
            exponent = Decimal(-2 * d) / dimension
            theta = Decimal(base) ** exponent / Decimal(factor) / Decimal(divisor)
            angle = theta * position
            rows.append([float(_sine(angle + _PI / 2)), float(_sine(angle))])
    return np.array(rows)


@pytest.mark.parametrize(
    ("dimension", "base", "factor", "scaled"),
    [
        (16, 10000.0, 1.0, False),
        (64, 500000.0, 1.0, True),
        (6, 1e6, 4.0, False),
        (2, 1.5, 0.7, True),
    ],
)
def test_joined_angles_are_those_of_the_definition(
    rng: np.random.Generator, dimension: int, base: float, factor: float, scaled: bool
) -> None:
    divisors = rng.uniform(0.3, 32, dimension // 2).astype(np.float32) if scaled else None
    tables = rope_tables(dimension, base, factor, divisors)
    assert tables.shape == (3, 256, dimension // 2, 2)
    assert tables.dtype == np.float32
    positions = np.array(
        [0, 1, 255, 256, 65_535, 65_536, MAX_POSITION, *rng.integers(0, 1 << 24, 5)]
    )
    single = np.stack(position_angles(tables, positions), axis=-1)
    assert single.dtype == np.float32
    exact = np.array(
        [
            _expected(
                dimension,
                base,
                factor,
                [1.0] * (dimension // 2) if divisors is None else divisors.tolist(),
                int(position),
            )
            for position in positions
        ]
    )
    assert np.abs(single - exact).max() <= 5e-7
    double = np.stack(position_angles(tables.astype(np.float64), positions), axis=-1)
    assert np.abs(double - exact).max() <= 2e-7  # three entries, rounded once each


def test_entries_are_correctly_rounded() -> None:
    tables = rope_tables(128, 10000.0)
    for b, v in ((0, 1), (0, 255), (1, 77), (2, 128), (2, 255)):
        exact = _expected(128, 10000.0, 1.0, [1.0] * 64, v << 8 * b)
        np.testing.assert_array_equal(tables[b, v], exact.astype(np.float32))


def test_table_is_the_same_on_every_machine() -> None:
    """The digest of a table: any change of it would change every bundle."""
    digest = hashlib.sha256(rope_tables(128, 500000.0).astype("<f4").tobytes()).hexdigest()
    assert digest == "8ba391db2a47ecca9e1b231711c6ac649c466c73473b0428fe4533e5cb6d4a15"


def test_caller_precision_does_not_matter() -> None:
    with localcontext(Context(prec=5)):
        low = rope_tables(8, 10000.0)
    np.testing.assert_array_equal(low, rope_tables(8, 10000.0))


def test_rotate_is_a_complex_product(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 2, 10))
    angle = rng.uniform(-3, 3, (3, 1, 3))
    cos, sin = np.cos(angle), np.sin(angle)
    turned = rotate(x, cos, sin, interleaved=True)
    product = (x[..., 0:6:2] + 1j * x[..., 1:6:2]) * np.exp(1j * angle)
    np.testing.assert_allclose(turned[..., 0:6:2], product.real, atol=1e-12)
    np.testing.assert_allclose(turned[..., 1:6:2], product.imag, atol=1e-12)
    np.testing.assert_array_equal(turned[..., 6:], x[..., 6:])

    turned = rotate(x, cos, sin, interleaved=False)
    product = (x[..., 0:3] + 1j * x[..., 3:6]) * np.exp(1j * angle)
    np.testing.assert_allclose(turned[..., 0:3], product.real, atol=1e-12)
    np.testing.assert_allclose(turned[..., 3:6], product.imag, atol=1e-12)
    np.testing.assert_array_equal(turned[..., 6:], x[..., 6:])
