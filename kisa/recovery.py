"""Tools that fail now and then, and the teacher that goes on in spite of it.

    tools = unreliable(tools, question, config)          some outputs are spoilt (`kisa.corruption`)
    turns = recover(teach(...), ...)                     after such an output: what is wrong with it, and a further call

The further call is made in the environment like any other: the same again, or, where the planner has another way to
what it was looking for, that way. Its output may be spoilt as well.
"""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envs.tools.base import Tool, ToolResult
from kisa.corruption import FAULTS, Corruption, corrupt, draw
from kisa.planner import Turns
from medrl.chat import parse_action, render_call, thought_of
from medrl.config import Config
from medrl.types import Question, Rollout, Step

#: What the other document is about; no question is, as they are about rare diseases.
_ELSEWHERE = ("Hip fracture", "Migraine", "Appendicitis", "Malaria", "Gout", "Common cold", "Tooth decay", "Snake bite")
#: Of these the planner goes on to the other where one brings nothing.
_HAVE_ANOTHER_WAY = ("medical_retriever", "document_read")
#: How often that way is gone.
ANOTHER_WAY = 0.5


def unreliable(tools: Mapping[str, Tool], question: Question, config: Config) -> Mapping[str, Tool]:
    """The tools for one episode, whose calls they count; themselves where nothing is to be spoilt."""
    if not spoils(config, question):
        return tools
    fraction, numbers = config.kisa.corruption_fraction, itertools.count()
    return {
        name: _Unreliable(tool, tools["medical_retriever"], question.id, config.seed, fraction, numbers)
        for name, tool in tools.items()
    }


def spoils(config: Config, question: Question) -> bool:
    """Whether outputs may be spoilt: on training questions only."""
    return question.split == "train" and config.kisa.corruption_fraction > 0


class _Unreliable:
    """A tool some of whose outputs are spoilt. Mistakes of the agent are told as they are."""

    def __init__(
        self, tool: Tool, search: Tool, question_id: str, seed: int, fraction: float, numbers: Iterator[int]
    ) -> None:
        """`search` finds the text of another document; `numbers` counts the calls of an episode, of all its tools."""
        self.name = tool.name
        self.description = tool.description
        self.parameters = tool.parameters
        self._tool = tool
        self._search = search
        self._question_id = question_id
        self._seed = seed
        self._fraction = fraction
        self._numbers = numbers

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        drawn = draw(self._seed, self._question_id, next(self._numbers), self._fraction)
        result = await self._tool.call(arguments)
        if drawn is None or result.is_mistake or not result.text.strip():
            return result
        kind, rng = drawn
        other = ""
        if kind is Corruption.OTHER_DOCUMENT:
            other = await self._other_document(rng)
            if not other or other == result.text:
                kind = Corruption.ERROR_PAGE
        return ToolResult(corrupt(result.text, kind, rng, other), corruption=kind.value)

    async def _other_document(self, rng: random.Random) -> str:
        """What a search for something else shows; for a reading, the first document of it. "" if it finds nothing."""
        found = await self._search.call({"query": rng.choice(_ELSEWHERE)})
        if found.is_mistake or not found.sources:
            return ""
        return found.text.partition("\n")[0].removeprefix("[1] ") if self.name == "document_read" else found.text


def recover(turns: Turns, spoilt: Callable[[], str], rng: random.Random, another_way: float) -> Turns:
    """The turns of `turns`, with a further call after each spoilt output; `turns` is sent what that call brings.

    `spoilt`: the corruption of the last output, "" if there is none. With probability `another_way` the call is not
    made again: `turns` is sent an empty output, and looks for another way by itself.
    """
    text = next(turns, None)
    while text is not None:
        observation = yield text
        plan, call, noticed = thought_of(text), parse_action(text).call, ""
        while (kind := spoilt()) and call is not None:
            noticed = FAULTS[Corruption(kind)]
            if call.name in _HAVE_ANOTHER_WAY and rng.random() < another_way:
                observation = ""
                break
            observation = yield render_call(f"{noticed} I ask again. {plan}", call)
            noticed = ""
        try:
            text = turns.send(observation)
        except StopIteration:
            return
        call = parse_action(text).call
        if noticed and call is not None:
            text = render_call(f"{noticed} I try another way. {thought_of(text)}", call)


@dataclass(frozen=True, slots=True)
class Recoveries:
    """Of the outputs of all calls: how many were spoilt, by kind; of these, how many the agent went on from by the
    same call again, or by another one, to an output that was not spoilt and no mistake."""

    outputs: int
    corrupted: int
    kinds: Mapping[str, int]
    by_the_same_call: int
    by_another_call: int

    @property
    def recovered(self) -> int:
        return self.by_the_same_call + self.by_another_call


def recoveries(rollouts: Sequence[Rollout]) -> Recoveries:
    """Count what the episodes do."""
    called = [[step for step in rollout.steps if step.call is not None] for rollout in rollouts]
    outcomes = Counter(
        _outcome(steps[place], steps[place + 1 :])
        for steps in called
        for place, step in enumerate(steps)
        if step.corruption
    )
    kinds = Counter(step.corruption for steps in called for step in steps if step.corruption)
    return Recoveries(
        outputs=sum(map(len, called)),
        corrupted=kinds.total(),
        kinds={kind.value: kinds[kind.value] for kind in Corruption if kinds[kind.value]},
        by_the_same_call=outcomes["same"],
        by_another_call=outcomes["another"],
    )


def _outcome(step: Step, later: Sequence[Step]) -> str:
    sound = next((each for each in later if each.status == "ok" and not each.corruption), None)
    if sound is None:
        return "none"
    return "same" if sound.call == step.call else "another"
