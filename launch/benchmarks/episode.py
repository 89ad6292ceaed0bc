"""An episode that is to be played, whoever plays it."""

from dataclasses import dataclass

from envs.benchmarks.item import Item, as_question
from launch.benchmarks.agents import ToolSet
from launch.benchmarks.results import Results
from medrl.types import Question


@dataclass(frozen=True, slots=True)
class Episode:
    """`results`: where it is kept as soon as it ends."""

    item: Item
    sample: int
    tools: ToolSet
    results: Results

    @property
    def question(self) -> Question:
        return as_question(self.item)

    @property
    def name(self) -> str:
        return f"{self.results.folder.parent.name}/{self.results.folder.name}/{self.item.id}-{self.sample}"
