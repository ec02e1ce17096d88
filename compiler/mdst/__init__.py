"""mdst: an ahead-of-time compiler from GGUF files to static web pages that run the model."""

__version__ = "0.1.0"
