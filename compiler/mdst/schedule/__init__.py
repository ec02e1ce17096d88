"""Where everything lies: weights in buffers and slices, activations in the arena, caches."""
