"""Agents on benchmarks: who plays what, what is kept of it, and the tables and pages that come of it."""
