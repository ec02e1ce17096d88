"""Proof of a compile: known answers of every kernel, the whole model, and the written files."""
