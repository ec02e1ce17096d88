"""Rotary position embedding: tables of cosines and sines, bit for bit the same everywhere.

A position has three bytes, and the table holds the angle of every byte by itself: entry [b, v, d]
is cos and sin of v · 256^b · θ_d. The angle of a position is the sum of three of them, so cosine
and sine are those of a product of three complex numbers, and no host evaluates either function.

    θ_d = base^(−2d / dimension) / factor / frequency_factors[d]

(Su et al., arXiv 2104.09864; linear scaling and frequency factors as in llama.cpp,
`ggml_rope_cache_init` in ggml-cpu/ops.cpp). No libm is asked: θ comes from `decimal`, the reduction
to one turn is integer arithmetic, and what is left is a polynomial in + − · of float64, which IEEE
754 fixes to the last bit.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

BYTES = 3
"""Bytes of a position."""

_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230782")
_TWO_PI = 2.0 * float(_PI)
_DIGITS = 60
_TURN_BITS = 128
"""Fraction bits of an angle counted in turns: after multiplication by a position 104 are right."""


def rope_tables(
    dimension: int,
    base: float,
    factor: float = 1.0,
    frequency_factors: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """float32 [3, 256, dimension / 2, 2]: cos and sin of v · 256^b · θ_d at [b, v, d].

    `dimension` is even; `base`, `factor` and `frequency_factors` [dimension / 2] are positive.
    """
    pairs = dimension // 2
    factors = [1.0] * pairs if frequency_factors is None else frequency_factors.tolist()
    turns = _turns(dimension, base, factor, factors)
    modulus = 1 << _TURN_BITS
    # The top 64 bits of the fraction, read as a signed number, are turns in [−1/2, 1/2).
    drop = _TURN_BITS - 64
    top = [
        ((v << 8 * b) * turn % modulus) >> drop
        for b in range(BYTES)
        for v in range(256)
        for turn in turns
    ]
    signed = np.array(top, np.uint64).view(np.int64).astype(np.float64)
    cos, sin = _cos_sin(signed * 2.0**-64)
    return np.stack([cos, sin], axis=-1).astype(np.float32).reshape(BYTES, 256, pairs, 2)


def position_angles(tables: Floats, positions: npt.NDArray[np.integer]) -> tuple[Floats, Floats]:
    """cos and sin [n, dimension / 2] of the angles at `positions` [n] (< 2^24), joined from
    `tables` in the tables' own precision, in the order in which the kernels join them."""
    low, middle, high = (tables[b][(positions >> 8 * b) & 255] for b in range(BYTES))
    joined = _product(_product(low, middle), high)
    return joined[..., 0], joined[..., 1]


def rotate(x: Floats, cos: Floats, sin: Floats, *, interleaved: bool) -> Floats:
    """x [..., D] with its first 2 · pairs values turned by cos and sin [..., pairs] (broadcast):
    pairs (2i, 2i + 1) when `interleaved`, else (i, i + pairs)."""
    pairs = cos.shape[-1]
    step = 2 if interleaved else 1
    first = slice(0, step * pairs, step)
    second = slice(1, 2 * pairs, 2) if interleaved else slice(pairs, 2 * pairs)
    a, b = x[..., first], x[..., second]
    out = x.copy()
    out[..., first] = a * cos - b * sin
    out[..., second] = a * sin + b * cos
    return out


def _product(a: Floats, b: Floats) -> Floats:
    """Complex numbers [..., 2] multiplied."""
    real = a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1]
    imaginary = a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]
    return np.stack([real, imaginary], axis=-1)


def _turns(dimension: int, base: float, factor: float, factors: list[float]) -> list[int]:
    """θ_d / 2π modulo one turn, as integers of 2^−128 turns."""
    with localcontext(Context(prec=_DIGITS)):
        log_base = Decimal(base).ln()
        scale = Decimal(1 << _TURN_BITS) / (2 * _PI) / Decimal(factor)
        return [
            int((log_base * (-2 * d) / dimension).exp() * scale / Decimal(divisor))
            % (1 << _TURN_BITS)
            for d, divisor in enumerate(factors)
        ]


def _cos_sin(
    turns: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Cosine and sine of 2π · turns for turns in [−1/2, 1/2], within 1e-15."""
    quarter = np.rint(turns * 4.0)
    # Exact: both are multiples of the same power of two, and the difference is at most 1/8.
    angle = (turns - quarter * 0.25) * _TWO_PI
    square = angle * angle
    cos = _series(square, [0, 2, 4, 6, 8, 10, 12, 14, 16])
    sin = angle * _series(square, [1, 3, 5, 7, 9, 11, 13, 15, 17])
    turn = quarter.astype(np.int64) & 3
    return (
        np.choose(turn, [cos, -sin, -cos, sin]),
        np.choose(turn, [sin, cos, -sin, -cos]),
    )


def _series(square: npt.NDArray[np.float64], degrees: list[int]) -> npt.NDArray[np.float64]:
    """Σ (−1)^n square^n / degrees[n]!, the power series of cos and of sin(x)/x, by Horner's rule
    (on |x| ≤ π/4 the first term left out is below 1e-17)."""
    total = np.zeros_like(square)
    for n in reversed(range(len(degrees))):
        factorial = 1
        for i in range(2, degrees[n] + 1):
            factorial *= i
        total = total * square + (-1) ** n / factorial
    return total
