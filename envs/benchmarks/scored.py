"""What one attempt at a benchmark's question came to: a line of a run's results."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from medrl.matching import Verdict


@dataclass(frozen=True, slots=True)
class Score:
    """`rule`: what decided, such as "name" or "date". `judged`: a language model did, as no rule said correct."""

    verdict: Verdict
    rule: str
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """One sample of one item. `prediction` is None where the agent gave no answer; `tool_calls`: calls by tool's name;
    `turns`: of the agent; `tokens`: sampled by it; `ending`: an `Ending`, or "reply" of a model without tools."""

    item_id: str
    sample: int
    prediction: str | None
    verdict: Verdict
    rule: str
    judged: bool
    ending: str
    tool_calls: Mapping[str, int] = field(default_factory=dict)
    turns: int = 1
    tokens: int = 0
    duration_s: float = 0.0

    @property
    def num_tool_calls(self) -> int:
        return sum(self.tool_calls.values())
