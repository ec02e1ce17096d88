"""The known answer of an embed kernel: first and last row of every slice, an id of none of them and
one past the vocabulary, read from a token ring that wraps."""

from __future__ import annotations

from itertools import count

import numpy as np

from ...codegen.kernels.embed import Embed
from ...codegen.state import STATE_BYTES
from ...codegen.tiers import Tier
from ..case import Case, Expected, Fill, Words, state_words
from ..reference.embed import embed
from .rows import Floats, expect, fill_floats
from .weights import fill_part, grid_words, part_end

_EDGE = 8
"""Columns looked at on either side of a row."""


def _ids(params: Embed) -> list[int]:
    """Token ids, those of the table's far end first."""
    edges = [(first, first + part.rows - 1) for first, part in reversed(params.slices)]
    ids = [params.vocab, *(row for first, last in edges for row in (last, first))]
    if params.slices[0][0] > 0:
        ids.append(params.slices[0][0] - 1)
    elif not params.has_last_row:
        ids.append(params.slices[-1][0] + params.slices[-1][1].rows)
    return list(dict.fromkeys(ids))[: params.context]


def case(params: Embed, tier: Tier, tokens: int) -> Case:
    """The kernel is the same for any number of tokens: the case takes at least those it needs."""
    seeds = count(1)
    ids = np.array(_ids(params), np.uint32)
    tokens = max(tokens, ids.size)
    table: dict[int, Floats] = {}
    weights: dict[str, tuple[Fill | Words, ...]] = {}
    for i, (first, part) in enumerate(params.slices):
        rows = sorted({0, part.rows - 1})
        filled = fill_part(part, rows, seeds)
        weights[f"table{i}"] = (*grid_words([part]), *filled.fills)
        table |= dict(zip([first + row for row in rows], filled.matrix.weights, strict=True))
    order = params.width if params.interleaved else None
    befores = [
        fill_floats(4 * t * params.width, range(params.width), seeds, order)
        for t in range(ids.size)
    ]
    before = np.stack([values for _, values in befores])
    zero_from = params.vocab if params.has_last_row else None
    after = embed(ids, table, before, zero_from)
    columns = sorted({*range(_EDGE), *range(params.width - _EDGE, params.width)})
    expected: list[Expected] = []
    for t, row in enumerate(after):
        expected += expect("out", 4 * t * params.width, columns, row[columns], order)
    last = params.context - 1
    tail = tuple(ids[1:].tolist())
    wrapped = (Words(4 * last, (int(ids[0]),)), *([Words(0, tail)] if tail else []))
    sizes = {
        "state": STATE_BYTES,
        "tokens": 4 * params.context,
        **{f"table{i}": part_end(part) for i, (_, part) in enumerate(params.slices)},
        "out": 4 * tokens * params.width,
    }
    inputs: dict[str, tuple[Fill | Words, ...]] = {
        "state": (state_words(n_tokens=ids.size, position=last),),
        "tokens": wrapped,
        **weights,
        "out": tuple(fill for fills, _ in befores for fill in fills),
    }
    return Case(sizes, inputs, params.grid(tier, tokens), tuple(expected))
