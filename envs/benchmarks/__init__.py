"""Benchmarks: their questions as loaded, and how an answer to one is scored."""
