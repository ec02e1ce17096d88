"""What tells one decoder family from another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """A pre-norm decoder with grouped-query attention and a gated MLP (llama.cpp's src/models).

    Every projection may carry a bias [N] and a scale [1] in the file; the flags say where
    llama.cpp reads them.
    """

    qk_norm: bool = False
    """Queries and keys are normalised per head before they are rotated."""
    mlp_scales: bool = True
    """`ffn_*.scale` tensors multiply the MLP's products."""
    output_bias: bool = False
    """`output.bias` is added to the logits."""
