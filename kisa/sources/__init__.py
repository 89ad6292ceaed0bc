"""Readers of knowledge sources, one a file."""
