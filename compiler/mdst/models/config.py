"""GGUF metadata → ModelConfig: the sizes and constants of one decoder, checked.

Which keys count, and what a missing one means, follows llama.cpp (load_hparams in
src/llama-model.cpp, and src/models/{llama,qwen2,qwen3}.cpp). Writers put dozens of keys into a file
that its architecture never reads; those are not looked at. An optional number that is zero means
the same as none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

from ..errors import UnsupportedError, printable
from ..gguf import GgufFile
from .metadata import ArchitectureKeys, Metadata
from .vocabulary_checks import check_vocabulary

ARCHITECTURES: Final = ("llama", "qwen2", "qwen3")

MAX_LAYERS: Final = 512
"""LLAMA_MAX_LAYERS in llama.cpp."""

DEFAULT_ROPE_BASE: Final = 10000.0


@dataclass(frozen=True, slots=True)
class Rope:
    """Rotary position embedding (Su et al., arXiv 2104.09864).

    Pair i of a head turns by position / factor * base ** (-2 i / dimension) radians.
    """

    dimension: int  # values of a head that turn; even
    base: float  # > 0
    factor: float  # linear scaling: positions are divided by it; 1.0 is none
    interleaved: bool  # True: pairs (2i, 2i + 1); False ("NeoX"): pairs (i, i + dimension / 2)


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What the metadata says about a decoder. Whether the tensors agree is checked elsewhere."""

    architecture: str  # one of ARCHITECTURES
    name: str  # general.name, untrusted text; "" if there is none
    n_layers: int
    n_embd: int  # width of the residual stream
    n_heads: int  # query heads of a layer
    n_kv_heads: int  # key and value heads of a layer; divides n_heads
    head_dim: int  # values per head; n_heads * head_dim need not be n_embd
    n_ff: int  # width between up and down projection
    n_vocab: int  # tokens; rows of the embedding and of the output matrix
    context_length: int  # positions the model was trained for
    norm_epsilon: float  # added to the mean square in RMS norm; > 0
    rope: Rope
    sliding_window: int | None  # positions a query sees, itself included; None: all before it
    attention_scale: float  # factor of query · key before softmax
    warnings: tuple[str, ...]  # sentences; those of the file first

    @classmethod
    def from_gguf(cls, file: GgufFile) -> Self:
        """Read the configuration of `file`.

        Raises MalformedError where the metadata is incomplete or contradicts itself (the message
        has the equation that failed), UnsupportedError where it is sound but asks for what is not
        implemented.
        """
        metadata = Metadata(file)
        keys = ArchitectureKeys(metadata, _architecture(metadata))
        _refuse_unsupported(keys)
        n_layers = keys.size("block_count", high=MAX_LAYERS)
        n_embd = keys.size("embedding_length")
        n_heads, n_kv_heads = _heads(keys, n_layers)
        head_dim = _head_dim(keys, n_embd, n_heads)
        n_vocab, warnings = check_vocabulary(metadata)
        _check_vocab_size(keys, n_vocab)
        return cls(
            architecture=keys.architecture,
            name=(metadata.text("general.name") or b"").decode("utf-8", "replace"),
            n_layers=n_layers,
            n_embd=n_embd,
            n_heads=n_heads,
            n_kv_heads=n_kv_heads,
            head_dim=head_dim,
            n_ff=keys.size_of_layers("feed_forward_length", n_layers),
            n_vocab=n_vocab,
            context_length=keys.size("context_length"),
            norm_epsilon=keys.positive("attention.layer_norm_rms_epsilon"),
            rope=_rope(keys, head_dim),
            # llama.cpp reads no window for these architectures: every layer sees all positions.
            sliding_window=None,
            # llama.cpp reads a scale for other architectures only; no writer gives these one.
            attention_scale=keys.optional_positive("attention.scale") or 1 / math.sqrt(head_dim),
            warnings=(*file.warnings, *_window_warning(keys), *warnings),
        )


def _architecture(metadata: Metadata) -> str:
    key = "general.architecture"
    found = metadata.required(key, metadata.text(key), "string")
    for name in ARCHITECTURES:
        if found == name.encode():
            return name
    text = f"{printable(found)} is not supported; supported: {', '.join(ARCHITECTURES)}"
    raise metadata.unsupported("CONF003", key, text)


def _refuse_unsupported(keys: ArchitectureKeys) -> None:
    metadata = keys.metadata
    kind = metadata.text("general.type")
    if kind not in (None, b"", b"model"):
        text = f"the file holds a {printable(kind or b'')}, not a model"
        raise metadata.unsupported("CONF012", "general.type", text)
    experts = keys.key("expert_count")
    if count := metadata.u32(experts):
        text = f"{count} experts; mixtures of experts are not supported"
        raise metadata.unsupported("CONF008", experts, text)
    causal = keys.key("attention.causal")
    if metadata.flag(causal) is False:
        text = "attention is not causal: the model does not generate text"
        raise metadata.unsupported("CONF013", causal, text)


def _heads(keys: ArchitectureKeys, n_layers: int) -> tuple[int, int]:
    """Query heads and key-value heads of a layer."""
    q_name, kv_name = "attention.head_count", "attention.head_count_kv"
    n_heads = keys.size_of_layers(q_name, n_layers)
    n_kv_heads = keys.size_of_layers(kv_name, n_layers, default=n_heads)
    if n_heads % n_kv_heads:
        raise keys.unequal(
            f"{keys.key(q_name)} {n_heads} % {keys.key(kv_name)} {n_kv_heads} "
            f"= {n_heads % n_kv_heads}; must be 0"
        )
    return n_heads, n_kv_heads


def _head_dim(keys: ArchitectureKeys, n_embd: int, n_heads: int) -> int:
    lengths = [keys.optional_size(f"attention.{name}_length") for name in ("key", "value")]
    if None in lengths and n_embd % n_heads:
        raise keys.unequal(
            f"{keys.key('embedding_length')} {n_embd} % {keys.key('attention.head_count')} "
            f"{n_heads} = {n_embd % n_heads}; must be 0"
        )
    key_length, value_length = (length or n_embd // n_heads for length in lengths)
    if key_length != value_length:
        raise UnsupportedError(
            "CONF009",
            f"{keys.metadata.file}: heads with keys of {key_length} and values of {value_length} "
            f"are not supported ({keys.key('attention.key_length')}, "
            f"{keys.key('attention.value_length')})",
        )
    return key_length


def _check_vocab_size(keys: ArchitectureKeys, n_vocab: int) -> None:
    declared = keys.optional_size("vocab_size")
    if declared not in (None, n_vocab):
        text = f"is {declared}, but 'tokenizer.ggml.tokens' has {n_vocab} tokens"
        raise keys.metadata.malformed("CONF021", keys.key("vocab_size"), text)


def _rope(keys: ArchitectureKeys, head_dim: int) -> Rope:
    name = "rope.dimension_count"
    dimension = keys.size(name, default=head_dim)
    if dimension % 2 or dimension > head_dim:
        raise keys.unequal(
            f"{keys.key(name)} {dimension} must be even and at most the head length {head_dim}"
        )
    if dimension < head_dim:
        # llama.cpp stops here too: it asserts n_embd_head == n_rot for these architectures.
        text = f"rotates {dimension} of the {head_dim} values of a head; only all are supported"
        raise keys.metadata.unsupported("CONF010", keys.key(name), text)
    return Rope(
        dimension,
        keys.positive("rope.freq_base", default=DEFAULT_ROPE_BASE),
        _rope_factor(keys),
        # llama_model_rope_type(): the Q and K rows of llama files were permuted by the converter.
        interleaved=keys.architecture == "llama",
    )


def _rope_factor(keys: ArchitectureKeys) -> float:
    metadata = keys.metadata
    attention = keys.key("rope.scaling.attn_factor")
    if metadata.f32(attention) not in (None, 0.0, 1.0):
        text = f"is {metadata.f32(attention)}; only 1 is supported"
        raise metadata.unsupported("CONF011", attention, text)
    kind = metadata.text(keys.key("rope.scaling.type"))
    if kind == b"none":
        return 1.0
    if kind not in (None, b"linear"):
        text = f"RoPE scaling {printable(kind or b'')} is not supported; supported: none, linear"
        raise metadata.unsupported("CONF011", keys.key("rope.scaling.type"), text)
    # rope.scale_linear is the name from before rope.scaling.
    name = "rope.scaling.factor"
    name = name if keys.key(name) in metadata.values else "rope.scale_linear"
    return keys.optional_positive(name) or 1.0


def _window_warning(keys: ArchitectureKeys) -> list[str]:
    key = keys.key("attention.sliding_window")
    window = keys.metadata.values.get(key)
    if window is None or window.value == 0:
        return []
    where = keys.metadata.place(key)
    return [f"{where}: ignored for {keys.architecture}, as llama.cpp does: attention is full"]
