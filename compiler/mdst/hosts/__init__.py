"""Hosts execute a bundle headless: wgpu (the GPU programs) and numpy (the graph, as a witness)."""
