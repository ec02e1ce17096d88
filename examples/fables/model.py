"""The network: a small Llama in PyTorch whose parameters bear the names of GGUF tensors.

RMSNorm, rotary positions on neighbouring pairs (2i, 2i + 1), grouped-query attention, SwiGLU and an
output matrix that is the embedding (Touvron et al., "LLaMA", 2023; Ainslie et al., "GQA", 2023).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes of the network, named like the `llama.*` keys of GGUfunctional."""

    vocab_size: int = 768
    context_length: int = 512
    embedding_length: int = 128
    block_count: int = 5
    head_count: int = 4
    head_count_kv: int = 2
    feed_forward_length: int = 320
    rms_epsilon: float = 1e-5
    rope_base: float = 10000.0

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.embedding_length // self.head_count


def rope_tables(config: Config) -> tuple[Tensor, Tensor]:
    """Cosines and sines, (context, head_size / 2) each.

    Pair i at position p turns by p · base^(−2i/d), d = head_size (Su et al., "RoFormer", 2021).
    """
    exponents = torch.arange(0, config.head_size, 2, dtype=torch.float64) / config.head_size
    positions = torch.arange(config.context_length, dtype=torch.float64)
    angles = torch.outer(positions, config.rope_base**-exponents)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (2i, 2i + 1) of x (..., T, head_size); cos, sin are (T, head_size / 2)."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class Block(nn.Module):
    """One layer: x + attention(norm(x)), then x + feed-forward(norm(x))."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width, hidden = config.embedding_length, config.feed_forward_length
        kv_width = config.head_count_kv * config.head_size
        self.attn_norm = nn.RMSNorm(width, eps=config.rms_epsilon)
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, kv_width, bias=False)
        self.attn_v = nn.Linear(width, kv_width, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_norm = nn.RMSNorm(width, eps=config.rms_epsilon)
        self.ffn_gate = nn.Linear(width, hidden, bias=False)
        self.ffn_up = nn.Linear(width, hidden, bias=False)
        self.ffn_down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(B, T, width) → (B, T, width)."""
        x = x + self._attend(self.attn_norm(x), cos, sin)
        h = self.ffn_norm(x)
        out: Tensor = x + self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))
        return out

    def _attend(self, h: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        heads, kv_heads = self.config.head_count, self.config.head_count_kv
        # (B, T, heads · size) → (B, heads, T, size)
        q = rotate(self.attn_q(h).unflatten(-1, (heads, -1)).transpose(1, 2), cos, sin)
        k = rotate(self.attn_k(h).unflatten(-1, (kv_heads, -1)).transpose(1, 2), cos, sin)
        v = self.attn_v(h).unflatten(-1, (kv_heads, -1)).transpose(1, 2)
        # Query head i reads key head i // (heads / kv_heads).
        k, v = (t.repeat_interleave(heads // kv_heads, dim=1) for t in (k, v))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.attn_output(mixed.transpose(1, 2).flatten(2))
        return out


class Llama(nn.Module):
    """Token ids (B, T) → logits (B, T, vocabulary)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.token_embd = nn.Embedding(config.vocab_size, config.embedding_length)
        self.blk = nn.ModuleList(Block(config) for _ in range(config.block_count))
        self.output_norm = nn.RMSNorm(config.embedding_length, eps=config.rms_epsilon)
        cos, sin = rope_tables(config)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self._initialise(config)

    def _initialise(self, config: Config) -> None:
        # What adds to the residual starts smaller, so that depth does not grow it (GPT-2's scheme).
        shrink = (2 * config.block_count) ** -0.5
        for name, weight in self.named_parameters():
            adds = name.endswith(("attn_output.weight", "ffn_down.weight"))
            if weight.dim() == 2:
                nn.init.normal_(weight, std=0.04 * (shrink if adds else 1.0))

    def forward(self, ids: Tensor) -> Tensor:
        """Logits of the token after each position."""
        length = ids.shape[1]
        cos, sin = self.get_buffer("cos")[:length], self.get_buffer("sin")[:length]
        x = self.token_embd(ids)
        for block in self.blk:
            x = block(x, cos, sin)
        return functional.linear(self.output_norm(x), self.token_embd.weight)
