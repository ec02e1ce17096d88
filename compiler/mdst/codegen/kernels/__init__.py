"""One module per kernel: its parameters, which name and fill its template."""

from .attention_prefill import AttentionPrefill
from .attention_reduce import AttentionReduce
from .attention_split import AttentionSplit
from .embed import Embed
from .emit import Emit
from .kv_cache import KvCache
from .matmul import MatMul
from .matmul_int8 import MatMulInt8
from .matvec import MatVec, Norm
from .matvec_int8 import MatVecInt8
from .qkv_rope import QkvRope
from .quantise import Quantise
from .rms_norm import RmsNorm
from .rope_attention import RopeAttention
from .rope_attention_split import RopeAttentionSplit
from .sample_prepare import SamplePrepare
from .sample_select import SampleSelect

__all__ = [
    "AttentionPrefill",
    "AttentionReduce",
    "AttentionSplit",
    "Embed",
    "Emit",
    "KvCache",
    "MatMul",
    "MatMulInt8",
    "MatVec",
    "MatVecInt8",
    "Norm",
    "QkvRope",
    "Quantise",
    "RmsNorm",
    "RopeAttention",
    "RopeAttentionSplit",
    "SamplePrepare",
    "SampleSelect",
]
