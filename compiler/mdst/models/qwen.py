"""qwen2 (biases on q, k, v; also Qwen 2.5) and qwen3 (norms on queries and keys)."""

from .family import Family

QWEN2 = Family(mlp_scales=False, output_bias=True)
QWEN3 = Family(qk_norm=True)
