"""Benchmarks by name."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from envs.benchmarks import gaia, heldout, medbrowsecomp, xbench
from envs.benchmarks.item import ItemSet
from medrl.errors import ConfigError, DataError

_LOADERS: dict[str, Callable[[Path], ItemSet]] = {
    medbrowsecomp.NAME: medbrowsecomp.load_medbrowsecomp,
    gaia.NAME: gaia.load_gaia,
    xbench.NAME: xbench.load_xbench,
    heldout.NAME: heldout.load_heldout,
}
NAMES = tuple(_LOADERS)


def load_benchmark(name: str, path: Path, first: int | None = None) -> ItemSet:
    """The benchmark's items from its file, in the file's order; only the `first` of them, if given.

    Raises DataError that says what to do about the file, ConfigError for a name or a `first` that is none.
    """
    if name not in _LOADERS:
        raise ConfigError(f"no benchmark is called {name}: give one of {', '.join(NAMES)}")
    if first is not None and first < 1:
        raise ConfigError(f"the first {first} questions of {name}: give 1 or more")
    loaded = _LOADERS[name](path)
    twice = [each for each, count in Counter(item.id for item in loaded.items).items() if count > 1]
    if twice:
        raise DataError(f"{path}: question {twice[0]} is there twice: leave one of them out")
    return replace(loaded, items=loaded.items[:first])
