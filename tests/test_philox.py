"""Philox4x32-10 against its authors' known answers (Random123, tests/kat_vectors)."""

from __future__ import annotations

import numpy as np
import pytest

from mdst.philox import philox4x32, random_words

VECTORS = (
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
)
"""Counter, key, result."""


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_known_answers(counter: str, key: str, expected: str) -> None:
    k0, k1 = words(key)
    result = philox4x32(np.array([words(counter)], np.uint32), (k0, k1))
    assert result.dtype == np.uint32
    assert result[0].tolist() == words(expected)


def test_every_counter_has_its_own_words() -> None:
    counter = np.array([words(VECTORS[2][0]), words(VECTORS[0][0])], np.uint32)
    together = philox4x32(counter, (7, 8))
    alone = [philox4x32(counter[i : i + 1], (7, 8))[0].tolist() for i in range(2)]
    assert together.tolist() == alone
    assert alone[0] != alone[1]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 11])
def test_random_words_are_the_blocks_in_order(count: int) -> None:
    blocks = np.zeros((3, 4), np.uint32)
    blocks[:, 0] = range(3)
    expected = philox4x32(blocks, (123, 0)).reshape(-1)[:count]
    assert random_words(123, count).tolist() == expected.tolist()
