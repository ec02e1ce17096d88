"""What blocks mean, one module per family of formats; `..decode` chooses."""
