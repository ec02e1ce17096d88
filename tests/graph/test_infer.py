"""Every operator's types: what it accepts, what comes out, and what it refuses."""

from __future__ import annotations

import pytest

from mdst.errors import InternalError
from mdst.graph import fused, ops
from mdst.graph.fused import (
    AttentionReduce,
    AttentionSplit,
    Projection,
    ProjectionPart,
    QkvRope,
    Quantise,
    RecordedNorm,
    RopeAttention,
    RopeAttentionSplit,
    SamplePrepare,
    SampleSelect,
)
from mdst.graph.ops import (
    Add,
    Attention,
    Bias,
    Cache,
    Carried,
    Concat,
    Constant,
    Embed,
    HeadNorm,
    KvWrite,
    LastRow,
    MatMul,
    Op,
    RmsNorm,
    Rope,
    Rotary,
    Sample,
    Scale,
    SiluMul,
    Tokens,
)
from mdst.graph.types import KV, U32, T, TensorType

F = TensorType
X = F((T, 64))
ONE = F((1, 64))
KV_TYPE = F((), KV)
CACHE = Cache(layer=0, n_kv_heads=2, head_dim=16, window=100, sinks=True)
ROTARY = Rotary(head_dim=16, dimension=16, interleaved=True)
TABLE = F((3, 256, 8, 2))
PLAIN = ProjectionPart()

ACCEPTED: list[tuple[Op, tuple[TensorType, ...], tuple[TensorType, ...]]] = [
    (Tokens(), (), (F((T,), U32),)),
    (Tokens(1), (), (F((1,), U32),)),
    (Carried("hidden", X), (), (X,)),
    (Constant("w", F((8, 64), "Q4_0")), (), (F((8, 64), "Q4_0"),)),
    (Embed(), (F((T,), U32), F((100, 64), "Q4_K")), (X,)),
    (Embed(), (F((1,), U32), F((100, 64), "F16")), (ONE,)),
    (RmsNorm(1e-5), (X, F((64,))), (X,)),
    (HeadNorm(1e-5), (X, F((16,))), (X,)),
    (MatMul(), (X, F((48, 64), "Q8_0")), (F((T, 48)),)),
    (MatMul(), (ONE, F((48, 64), "Q6_K")), (F((1, 48)),)),
    (Scale(), (X, F((1,))), (X,)),
    (Bias(), (X, F((64,))), (X,)),
    (Add(), (X, X), (X,)),
    (SiluMul(), (X, X), (X,)),
    (Concat(), (X, F((T, 16)), F((T, 3))), (F((T, 83)),)),
    (Rope(ROTARY), (X, TABLE), (X,)),
    (KvWrite(CACHE, ROTARY), (F((T, 32)), F((T, 32)), TABLE), (KV_TYPE,)),
    (Attention(CACHE, 0.25), (X, KV_TYPE), (X,)),
    (LastRow(), (X,), (ONE,)),
    (Sample(), (F((1, 300)),), (F((1,), U32),)),
    (Projection((PLAIN,)), (X, F((48, 64), "Q8_0")), (F((T, 48)),)),
    (
        Projection((ProjectionPart(scale=True, bias=True), PLAIN), norm=1e-5, residual=True),
        (X, F((64,)), F((48, 64), "Q8_0"), F((1,)), F((48,)), F((8, 64), "F16"), F((T, 56))),
        (F((T, 56)),),
    ),
    (
        Projection((PLAIN, PLAIN), gated=True, last_row=True),
        (X, F((96, 64), "Q4_0"), F((96, 64), "Q4_K")),
        (F((1, 96)),),
    ),
    (Quantise(), (X,), (F((T, 24), U32),)),
    (Quantise(), (X, F((64,))), (F((T, 24), U32),)),
    (RecordedNorm(1e-5), (X, F((64,))), (F((T, 24), U32),)),
    (
        Projection((PLAIN,), norm=1e-5, residual=True, int8=True, record="normed"),
        (F((1, 24), U32), F((96, 64), "Q8_0"), F((1, 96)), F((96,))),
        (F((1, 96)), F((1, 36), U32)),
    ),
    (
        RopeAttention(QkvRope(4, CACHE, ROTARY), 0.25, 8, record=True),
        (F((1, 128)), TABLE),
        (ONE, KV_TYPE, F((1, 24), U32)),
    ),
    (
        RopeAttentionSplit(QkvRope(4, CACHE, ROTARY), 0.25, 128, 3),
        (F((1, 128)), TABLE),
        (F((4, 3, 18)), KV_TYPE),
    ),
    (QkvRope(4, CACHE, ROTARY), (F((T, 128)), TABLE), (F((T, 64)), KV_TYPE)),
    (
        QkvRope(4, CACHE, ROTARY, norm=1e-6),
        (F((1, 128)), TABLE, F((16,)), F((16,))),
        (ONE, KV_TYPE),
    ),
    (AttentionSplit(CACHE, 0.25, 128, 3), (ONE, KV_TYPE), (F((4, 3, 18)),)),
    (AttentionReduce(CACHE, 128), (F((4, 3, 18)),), (ONE,)),
    (SamplePrepare(3), (F((1, 3000)),), (F((1, 3000)), F((3, 2), U32))),
    (SampleSelect(), (F((1, 3000)), F((3, 2), U32)), (F((1,), U32),)),
]

REFUSED: list[tuple[Op, tuple[TensorType, ...]]] = [
    (Tokens(), (X,)),
    (Carried("hidden", X), (X,)),
    (Constant("w", X), (X,)),
    (Embed(), (X, F((100, 64)))),
    (Embed(), (F((T,), U32), F((64,)))),
    (RmsNorm(1e-5), (X, F((32,)))),
    (HeadNorm(1e-5), (X, F((24,)))),
    (MatMul(), (X, F((64, 48), "Q8_0"))),
    (MatMul(), (X, F((64,)))),
    (Scale(), (X, F((64,)))),
    (Bias(), (X, F((1,)))),
    (Add(), (X, ONE)),
    (SiluMul(), (X, F((T, 32)))),
    (Concat(), (X, ONE)),
    (Rope(ROTARY), (X, F((3, 256, 16, 2)))),
    (Rope(ROTARY), (F((T, 40)), TABLE)),
    (KvWrite(CACHE, ROTARY), (X, X, TABLE)),
    (KvWrite(CACHE, ROTARY), (F((T, 32)), X, TABLE)),
    (KvWrite(CACHE, ROTARY), (F((T, 32)), F((T, 32)), X)),
    (Attention(CACHE, 0.25), (X, X)),
    (Attention(CACHE, 0.25), (F((T, 48)), KV_TYPE)),
    (Sample(), (F((T, 300)),)),
    (Projection((PLAIN,)), (X, F((48, 32)))),
    (Projection((ProjectionPart(scale=True),)), (X, F((48, 64)), F((48,)))),
    (Projection((ProjectionPart(bias=True),)), (X, F((48, 64)), F((1,)))),
    (Projection((PLAIN, PLAIN), gated=True), (X, F((48, 64)), F((32, 64)))),
    (Projection((PLAIN,), residual=True), (X, F((48, 64)), X)),
    (Quantise(), (F((T, 48)),)),
    (Quantise(), (X, F((32,)))),
    (RecordedNorm(1e-5), (X, F((32,)))),
    (Projection((PLAIN,), int8=True), (X, F((48, 64)))),
    (Projection((PLAIN,), record="normed"), (X, F((32, 64)), F((48,)))),
    (RopeAttention(QkvRope(4, CACHE, ROTARY), 0.25, 8), (F((T, 128)), TABLE)),
    (RopeAttentionSplit(QkvRope(4, CACHE, ROTARY), 0.25, 128, 3), (F((T, 128)), TABLE)),
    (RopeAttention(QkvRope(4, CACHE, ROTARY), 0.25, 1 << 20), (F((1, 128)), TABLE)),
    (QkvRope(4, CACHE, ROTARY), (X, TABLE)),
    (QkvRope(4, CACHE, ROTARY), (F((T, 128)), X)),
    (QkvRope(4, CACHE, ROTARY, norm=1e-6), (F((T, 128)), TABLE, F((16,)))),
    (AttentionSplit(CACHE, 0.25, 128, 3), (X, KV_TYPE)),
    (AttentionSplit(CACHE, 0.25, 128, 3), (ONE, ONE)),
    (AttentionReduce(CACHE, 128), (F((4, 3, 16)),)),
    (SampleSelect(), (F((T, 300)), F((3, 2), U32))),
    (SampleSelect(), (F((1, 300)), F((3, 2)))),
]


def _name(value: object) -> str:
    return type(value).__name__ if isinstance(value, Op) else ""


@pytest.mark.parametrize(("op", "inputs", "outputs"), ACCEPTED, ids=_name)
def test_output_types(
    op: Op, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
) -> None:
    assert op.infer(*inputs) == outputs


@pytest.mark.parametrize(("op", "inputs"), REFUSED, ids=_name)
def test_what_does_not_fit_is_refused(op: Op, inputs: tuple[TensorType, ...]) -> None:
    with pytest.raises(InternalError) as error:
        op.infer(*inputs)
    assert error.value.id == "GRAPH001"


def test_every_operator_is_here() -> None:
    found = [*vars(ops).values(), *vars(fused).values()]
    every = {c for c in found if isinstance(c, type) and issubclass(c, Op)} - {Op}
    assert {type(op) for op, _, _ in ACCEPTED} == every
    # These take a value of any shape.
    assert {type(op) for op, _ in REFUSED} == every - {LastRow, SamplePrepare}


def test_sizes_of_a_type() -> None:
    assert F((T, 3, 5)).elements(7) == 105
    assert F((), KV).elements(7) == 1
    assert str(F((T, 8), "Q8_0")) == "Q8_0[T, 8]"
