"""What each error id of the model configuration means. An id is never reused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MEANINGS: Final[Mapping[str, str]] = {
    "CONF001": "a required metadata key is missing",
    "CONF002": "a metadata value has another type than the key asks for",
    "CONF003": "the architecture is not supported",
    "CONF004": "a number is out of its range",
    "CONF005": "two sizes do not fit each other",
    "CONF006": "a per-layer array has not one value per layer",
    "CONF007": "the layers of the model differ in size",
    "CONF008": "the model is a mixture of experts",
    "CONF009": "keys and values of a head differ in length",
    "CONF010": "only a part of each head is rotated",
    "CONF011": "the RoPE scaling is not supported",
    "CONF012": "the file holds something else than a model, such as an adapter",
    "CONF013": "attention is not causal",
    "CONF020": "the tokenizer is not supported",
    "CONF021": "the vocabulary is empty, or its size is not the one declared",
    "CONF022": "a per-token array has not one value per token",
    "CONF023": "a token score is not finite",
    "CONF024": "a token type is unknown",
    "CONF025": "a special token's id is not in the vocabulary",
    "CONF026": "a BPE merge is not two parts with one space between them",
}
