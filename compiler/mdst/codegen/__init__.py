"""Kernels: a parameter record per algorithm and a template that renders it to WGSL."""
