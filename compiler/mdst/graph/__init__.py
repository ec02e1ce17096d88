"""The operator graph: typed operators, their uses, checks, text, and what they mean in numpy."""
