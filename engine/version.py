"""The version of duckraft, in one place: read by the packaging, the shell and the node greeting."""

__version__ = "0.1.0"
