"""Passes: graph → the same meaning in fewer steps. PIPELINES is the order for each phase.

A pass is a function `(Graph) -> Graph`: it may assume a valid graph, leaves a valid one, and never
changes the graph it is given. Its docstring shows before → after and when it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..graph.graph import Graph
from .cut import keep_head, keep_layers, keep_logits, keep_sample
from .fuse_bias import fuse_bias
from .fuse_gate_up import fuse_gate_up
from .fuse_last_row import fuse_last_row
from .fuse_norm import fuse_norm
from .fuse_qkv_rope import fuse_qkv_rope
from .fuse_records import fuse_records
from .fuse_residual import fuse_residual
from .fuse_rope_attention import fuse_rope_attention
from .fuse_rope_split import fuse_rope_split
from .merge_projections import merge_projections
from .one_token import one_token
from .own_records import own_records
from .quantise_inputs import quantise_inputs
from .split_attention import split_attention
from .split_sample import split_sample

Pass = Callable[[Graph], Graph]

_PROJECTIONS: tuple[Pass, ...] = (
    # A projection takes in what belongs to its weight, then its siblings, then what follows it.
    fuse_bias,
    fuse_qkv_rope,
    merge_projections,
    fuse_gate_up,
    fuse_residual,
)

_ONE_TOKEN: tuple[Pass, ...] = (one_token, *_PROJECTIONS, fuse_norm)

_SPLIT: tuple[Pass, ...] = (split_attention, fuse_rope_split)

_RECORDS: tuple[Pass, ...] = (quantise_inputs, fuse_records)
_TOKEN_RECORDS: tuple[Pass, ...] = (quantise_inputs, own_records, fuse_records)

PIPELINES: Mapping[str, tuple[Pass, ...]] = {
    # The layers of a chunk of tokens, up to the last hidden state.
    "prefill": (keep_layers, *_PROJECTIONS),
    # From there to the logits of the last token.
    "prefill_logits": (keep_head, *_PROJECTIONS, fuse_norm, fuse_last_row),
    # One token, from its id to the next one's: K of these make K tokens. For short texts, and for
    # all others.
    "decode_short": (*_ONE_TOKEN, fuse_rope_attention, split_sample),
    "decode": (*_ONE_TOKEN, *_SPLIT, split_sample),
    # The same up to the logits, for hosts that want to see them.
    "decode_logits": (keep_logits, *_ONE_TOKEN, *_SPLIT),
    # A chunk of tokens, and the logits of its last one, for WASM: one token is a short chunk.
    "wasm_layers": (keep_layers, *_PROJECTIONS),
    "wasm_head": (keep_head, *_PROJECTIONS),
    # From logits that either program left to a token.
    "sample": (keep_sample, split_sample),
    # With activations as int8 records.
    "prefill_int8": (keep_layers, *_PROJECTIONS, *_RECORDS),
    "decode_short_int8": (*_ONE_TOKEN, fuse_rope_attention, *_TOKEN_RECORDS, split_sample),
    "decode_int8": (*_ONE_TOKEN, *_SPLIT, *_TOKEN_RECORDS, split_sample),
    "decode_logits_int8": (keep_logits, *_ONE_TOKEN, *_SPLIT, *_TOKEN_RECORDS),
}
