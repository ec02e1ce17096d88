"""The model as WebAssembly: the same graph and the same weight bytes as the GPU's, lowered to calls
of kernels with baked addresses in one imported memory."""
