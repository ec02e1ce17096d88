"""One module per kernel: its parameters, which name and fill its template."""

from .attention_prefill import AttentionPrefill
from .attention_reduce import AttentionReduce
from .attention_split import AttentionSplit
from .embed import Embed
from .kv_cache import KvCache
from .matmul import MatMul
from .matvec import MatVec, Norm
from .qkv_rope import QkvRope
from .rms_norm import RmsNorm
from .sample_prepare import SamplePrepare
from .sample_select import SampleSelect

__all__ = [
    "AttentionPrefill",
    "AttentionReduce",
    "AttentionSplit",
    "Embed",
    "KvCache",
    "MatMul",
    "MatVec",
    "Norm",
    "QkvRope",
    "RmsNorm",
    "SamplePrepare",
    "SampleSelect",
]
