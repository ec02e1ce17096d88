"""Model families: a GGUF's metadata and tensors → the operator graph."""
