"""Benchmarks by name."""

from pathlib import Path

from envs.benchmarks.item import ItemSet

NAMES = ("medbrowsecomp", "gaia", "xbench", "heldout")


def load_benchmark(name: str, path: Path, first: int | None = None) -> ItemSet:
    """The benchmark's items from its file, in the file's order; only the `first` of them, if given.

    Raises DataError that says what to do about the file, ConfigError for a name that is none.
    """
    raise NotImplementedError
