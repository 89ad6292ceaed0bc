"""Is this answer to a benchmark's question right? Typed rules first; a judge only where they do not say so."""

from envs.benchmarks.item import Item
from envs.benchmarks.scored import Score


def score(item: Item, prediction: str | None) -> Score:
    """By rules alone. No prediction, or an abstention, is UNKNOWN."""
    raise NotImplementedError
