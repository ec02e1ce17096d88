"""What every kernel computes, in numpy float64 over plain arrays."""
