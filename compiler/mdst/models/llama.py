"""llama: Llama 1 to 3 (frequency factors in `rope_freqs.weight`), Mistral, and their like."""

from .family import Family

LLAMA = Family()
