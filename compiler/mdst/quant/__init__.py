"""Block formats: GGUF blocks ↔ planes of a slice (what kernels read) ↔ float32."""
