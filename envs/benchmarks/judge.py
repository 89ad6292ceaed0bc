"""A language model as the second reader of an answer that no rule calls correct."""

from envs.benchmarks.item import Item
from envs.benchmarks.scored import Score
from envs.network.endpoint import Endpoint


async def score_with_judge(item: Item, prediction: str | None, endpoint: Endpoint) -> Score:
    """The rules' score, or the judge's where they leave room for one. Raises SetAside if the judge gives no reply."""
    raise NotImplementedError
