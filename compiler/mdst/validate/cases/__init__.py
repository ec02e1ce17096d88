"""Known answers: one module per kernel, parameters → `Case`."""
