"""Detours are real calls before the guided ones; the guided ones stay; what episodes do is counted as it is."""

import asyncio
import random

import pytest

from kisa.exploration import explore, habits
from kisa.graph import KnowledgeGraph
from kisa.guidance import mask
from kisa.planner import Turns
from kisa.trajectories import demonstrate
from medrl.chat import ChatCodec, parse_action, render_answer, render_call
from medrl.types import Ending, Rollout, Step, StepStatus, ToolCall
from tests.kisa.library import open_library
from tests.kisa.test_trajectories import CONFIG, LONGEST, _question
from tests.tiny import tiny_tokenizer

GUIDED = [
    render_call("Need: disease, gene.", ToolCall("medical_retriever", {"query": "Blue sclera seen in"})),
    render_call("Need: gene.", ToolCall("document_read", {"document": "Alpha disease", "goal": "gene"})),
    render_answer("AAA1 is the gene of Alpha disease.", "AAA1"),
]


def _scripted() -> Turns:
    for number, text in enumerate(GUIDED):
        observation = yield text
        if number < len(GUIDED) - 1:
            assert observation == f"said to {text}"  # the guided turn gets the answer to its own call


def _played(seed: int) -> list[str]:
    """The turns; what the tools say to a turn names its call, without the thought that a detour has changed."""
    guided = {str(parse_action(text).call): text for text in GUIDED}
    turns = explore(_scripted(), random.Random(seed))
    said = [next(turns)]
    while True:
        call = str(parse_action(said[-1]).call)
        try:
            said.append(turns.send(f"said to {guided.get(call, said[-1])}"))
        except StopIteration:
            return said


def test_the_guided_calls_stay_in_order_and_something_is_tried_beside_them() -> None:
    for seed in range(200):
        said = _played(seed)
        calls = [str(parse_action(text).call) for text in said]
        guided = [str(parse_action(text).call) for text in GUIDED]
        assert [call for call in calls if call in guided] == guided
        assert len(said) > len(GUIDED) and said[-1] == GUIDED[-1]


def test_shares_of_detours_are_near_the_papers() -> None:
    episodes = [[parse_action(text).call for text in _played(seed)] for seed in range(3000)]
    named = [[call.name for call in calls if call is not None] for calls in episodes]
    assert sum(names[0] == "medical_retriever" for names in named) / 3000 == pytest.approx(0.88, abs=0.03)
    assert sum("web_search" in names for names in named) / 3000 == pytest.approx(0.42, abs=0.03)
    refused = [any(call is not None and "review" in str(call.arguments) for call in calls) for calls in episodes]
    assert sum(refused) / 3000 == pytest.approx(0.34, abs=0.03)


@pytest.mark.parametrize("seed", range(12))
def test_who_strays_still_finds_the_answer(graph: KnowledgeGraph, seed: int) -> None:
    config = CONFIG.model_copy(update={"kisa": CONFIG.kisa.model_copy(update={"exploration_fraction": 1.0})})
    config = config.model_copy(update={"env": config.env.model_copy(update={"max_turns": 12}), "seed": seed})
    question = _question(graph, *LONGEST[:4], seed=seed)
    codec = ChatCodec(tiny_tokenizer())
    strayed, guided = (
        asyncio.run(demonstrate(question, open_library(graph), codec, each)) for each in (config, CONFIG)
    )
    assert strayed is not None and guided is not None
    assert (strayed.origin, strayed.answer) == ("exploration", question.answer)
    assert strayed.num_tool_calls > len(mask(question))
    assert (guided.origin, guided.num_tool_calls) == ("guided", len(mask(question)))


def _episode(*calls: tuple[str, StepStatus]) -> Rollout:
    steps = [Step("", ToolCall(name, {}), "", status) for name, status in calls]
    return Rollout("q", 0, [], [], [], [], steps, Ending.ANSWERED, "x")


def test_habits_are_counted_by_episode() -> None:
    counted = habits(
        [
            _episode(("medical_retriever", "ok"), ("web_search", "ok"), ("medical_retriever", "ok")),
            _episode(("web_search", "ok"), ("document_read", "mistake"), ("document_read", "ok")),  # the same tool
            _episode(("document_read", "mistake"), ("medical_retriever", "ok")),
            _episode(("clinical_reasoning", "ok"), ("document_read", "ok")),  # reading is no switch
        ]
    )
    assert (counted.episodes, counted.medical_first, counted.switching, counted.recovery) == (4, 0.5, 0.25, 0.25)
    assert habits([]).recovery == 0.0
