"""Metadata of a small model, to be changed one key at a time."""

from __future__ import annotations

from typing import Any

from gguf.constants import GGUFValueType as Kind

N_TOKENS = 12

Keys = dict[str, tuple[Any, ...]]
"""Key → (value, type) or (array, ARRAY, element type)."""


def base(architecture: str = "llama") -> Keys:
    tokens = ["<unk>", "<s>", "</s>", *"abcdefghi"]
    sizes = {
        "block_count": 3,
        "context_length": 100,
        "embedding_length": 48,
        "feed_forward_length": 80,
        "attention.head_count": 6,
        "attention.head_count_kv": 2,
        "vocab_size": N_TOKENS,
    }
    return {
        "general.architecture": (architecture, Kind.STRING),
        **{f"{architecture}.{name}": (size, Kind.UINT32) for name, size in sizes.items()},
        f"{architecture}.attention.layer_norm_rms_epsilon": (1e-6, Kind.FLOAT32),
        "tokenizer.ggml.model": ("llama", Kind.STRING),
        "tokenizer.ggml.tokens": (tokens, Kind.ARRAY, Kind.STRING),
        "tokenizer.ggml.scores": ([-0.5] * N_TOKENS, Kind.ARRAY, Kind.FLOAT32),
        "tokenizer.ggml.token_type": ([2, 3, 3] + [1] * 9, Kind.ARRAY, Kind.INT32),
        "tokenizer.ggml.bos_token_id": (1, Kind.UINT32),
        "tokenizer.ggml.eos_token_id": (2, Kind.UINT32),
    }


TOKENS = base()["tokenizer.ggml.tokens"][0]
