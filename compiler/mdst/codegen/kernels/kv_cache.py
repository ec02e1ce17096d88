"""The key-value cache of one layer: a ring of rows, and slots of their own for sinks.

Token j has ring row j mod capacity. A query at position i sees keys o ≤ j ≤ i with
o = max(0, i − window + 1). When o > 0, the first ns = min(o, state.sinks) tokens stay in sight
(StreamingLLM: Xiao et al., arXiv 2309.17453): sink t as a key turned to position o − ns + t.

    K rows   capacity     keys after RoPE         V rows   capacity     values
             MAX_SINKS    sinks, turned anew               MAX_SINKS    values of the sinks
             MAX_SINKS    sinks before RoPE
"""

from __future__ import annotations

from dataclasses import dataclass

from ...graph.ops import MAX_SINKS
from ...options import KvFormat
from ..kernel import Binding


@dataclass(frozen=True, slots=True)
class KvCache:
    """Rows [n_kv_heads, head_dim] as 32-bit words: float32, or pairs of float16, the first in the
    low half. capacity ≥ window; without `sinks` no slots are kept for them and `state.sinks` does
    not count (layers with a sliding window of their own)."""

    n_kv_heads: int
    head_dim: int
    capacity: int
    window: int
    format: KvFormat
    sinks: bool = True

    @property
    def max_sinks(self) -> int:
        return MAX_SINKS if self.sinks else 0

    @property
    def most_in_sight(self) -> int:
        """Keys that a query sees at most: a full window and the sinks."""
        return self.window + self.max_sinks

    @property
    def values_per_word(self) -> int:
        return 2 if self.format == "f16" else 1

    @property
    def head_words(self) -> int:
        """32-bit words of one head's row."""
        return self.head_dim // self.values_per_word

    @property
    def row_words(self) -> int:
        """32-bit words of a row."""
        return self.n_kv_heads * self.head_words

    @property
    def k_rows(self) -> int:
        return self.capacity + 2 * self.max_sinks

    @property
    def v_rows(self) -> int:
        return self.capacity + self.max_sinks

    @property
    def k_bytes(self) -> int:
        return 4 * self.row_words * self.k_rows

    @property
    def v_bytes(self) -> int:
        return 4 * self.row_words * self.v_rows

    def by_words(self, name: str) -> Binding:
        """The K or V buffer for the kernel that writes it."""
        return Binding(name, "read_write", "array<u32>")

    def by_fours(self, name: str) -> Binding:
        """The K or V buffer, read by four values."""
        words = 4 // self.values_per_word
        return Binding(name, "read", f"array<vec{words}<u32>>")

    def by_chunks(self, name: str) -> Binding:
        """The K or V buffer, read by 16 bytes."""
        return Binding(name, "read", "array<vec4<u32>>")
