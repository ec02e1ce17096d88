"""Hosts execute a bundle headless: wgpu (the GPU programs), wasm (a module, on the CPU) and numpy
(the graph, as a witness)."""
