"""The teacher sees what is wrong, says so, makes a further call, and still ends with the right answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from envs.tools.base import Tool, ToolResult
from kisa.corruption import FAULTS, Corruption, draw
from kisa.graph import KnowledgeGraph
from kisa.recovery import recoveries, unreliable
from kisa.trajectories import demonstrate
from medrl.chat import ChatCodec, thought_of
from medrl.config import Config
from medrl.records import to_jsonl
from medrl.rewards import efficiency_penalty
from medrl.types import Ending, Question, Rollout, Step, ToolCall
from tests.kisa.formats.samples import every_kind
from tests.kisa.library import open_library
from tests.kisa.test_trajectories import CONFIG, LONGEST, _question
from tests.tiny import tiny_tokenizer


def _config(fraction: float, *, exploration: float = 0.0, max_turns: int = 30, seed: int = 0) -> Config:
    kisa = CONFIG.kisa.model_copy(update={"corruption_fraction": fraction, "exploration_fraction": exploration})
    env = CONFIG.env.model_copy(update={"max_turns": max_turns})
    model = CONFIG.model.model_copy(update={"max_length": 40_000})
    return CONFIG.model_copy(update={"kisa": kisa, "env": env, "model": model, "seed": seed})


def _play(question: Question, tools: Mapping[str, Tool], config: Config) -> Rollout | None:
    return asyncio.run(demonstrate(question, tools, ChatCodec(tiny_tokenizer()), config))


class Rich:
    """A library whose search also knows of other things than the graph's."""

    def __init__(self, tool: Tool) -> None:
        self.name, self.description, self.parameters = tool.name, tool.description, tool.parameters
        self._tool = tool

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        found = await self._tool.call(arguments)
        if found.text == "No results.":
            return ToolResult(f"[1] {arguments['query']} (OMIM:9): Gene: ZZZ9.\n[2] Rest", ("OMIM:9",))
        return found


def _rich(graph: KnowledgeGraph) -> dict[str, Tool]:
    return {name: Rich(tool) for name, tool in open_library(graph).items()}


def _played(graph: KnowledgeGraph, fraction: float, exploration: float = 0.0) -> list[tuple[Question, Rollout]]:
    """Every kind of question under five seeds."""
    found = []
    for seed in range(5):
        for question in every_kind(graph):
            rollout = _play(question, _rich(graph), _config(fraction, exploration=exploration, seed=seed))
            assert rollout is not None and rollout.ending is Ending.ANSWERED
            assert rollout.answer == question.answer
            found.append((question, rollout))
    return found


@pytest.mark.parametrize("exploration", [0.0, 1.0])
def test_who_sees_spoilt_outputs_still_finds_the_answer(graph: KnowledgeGraph, exploration: float) -> None:
    played = _played(graph, 0.3, exploration)
    counted = recoveries([rollout for _, rollout in played])
    assert counted.outputs == sum(rollout.num_tool_calls for _, rollout in played)
    assert counted.corrupted / counted.outputs == pytest.approx(0.27, abs=0.06)  # refusals are told as they are
    assert (
        set(counted.kinds) == {kind.value for kind in Corruption} and sum(counted.kinds.values()) == counted.corrupted
    )
    assert counted.recovered == counted.corrupted
    assert min(counted.by_the_same_call, counted.by_another_call) > 10
    for _, rollout in played:
        assert rollout.origin == ("exploration" if exploration else "guided")
        for step, following in zip(rollout.steps, rollout.steps[1:], strict=False):
            assert step.status != "mistake" or not step.corruption
            if step.corruption:
                fault = FAULTS[Corruption(step.corruption)]
                assert following.call is not None and thought_of(following.text).startswith(fault)
                assert step.sources == ()
            else:
                assert not any(fault in following.text for fault in FAULTS.values())


def test_what_is_spoilt_is_no_fault_of_the_agent(graph: KnowledgeGraph) -> None:
    for question, rollout in _played(graph, 0.3):
        sound = _play(question, _rich(graph), _config(0.0))
        assert sound is not None
        if all(step.call != later.call for step, later in zip(rollout.steps, rollout.steps[2:], strict=False)):
            assert efficiency_penalty(rollout, question) <= efficiency_penalty(sound, question)
        assert not any(step.status in ("mistake", "malformed") for step in rollout.steps if step.corruption)


def test_without_it_episodes_are_as_they_were(graph: KnowledgeGraph) -> None:
    for question in every_kind(graph):
        tools = open_library(graph)
        assert unreliable(tools, question, _config(0.0)) is tools
        heldout = replace(question, split="heldout")
        assert unreliable(tools, heldout, _config(1.0)) is tools
        rollout = _play(heldout, tools, _config(1.0))
        assert rollout is not None and not any(step.corruption for step in rollout.steps)


def test_where_there_is_no_room_the_episode_is_sound(graph: KnowledgeGraph) -> None:
    """Every output is spoilt, so no number of turns would do."""
    question = _question(graph, *LONGEST[:4])
    rollout = _play(question, open_library(graph), _config(1.0, max_turns=6))
    assert rollout == _play(question, open_library(graph), _config(0.0, max_turns=6))
    assert rollout is not None and rollout.num_tool_calls == 3


def test_the_same_seed_gives_the_same_bytes(graph: KnowledgeGraph) -> None:
    """In whatever order questions are played, and whatever was asked before."""
    questions = every_kind(graph)
    tools, config = _rich(graph), _config(0.3, exploration=0.5)
    there = [_play(question, tools, config) for question in questions]
    back = [_play(question, _rich(graph), config) for question in reversed(questions)]
    assert to_jsonl(there) == to_jsonl(reversed(back))
    assert to_jsonl(there) != to_jsonl([_play(question, tools, _config(0.3, seed=1)) for question in questions])


def test_what_is_spoilt_is_what_was_drawn_for_the_call(graph: KnowledgeGraph) -> None:
    """In every attempt at an episode, and whatever else was played with the same tools."""
    spoilt = 0
    for seed in range(6):
        config, tools = _config(0.3, seed=seed), _rich(graph)
        for question in every_kind(graph):
            rollout = _play(question, tools, config)
            assert rollout is not None
            drawn = [draw(seed, question.id, number, 0.3) for number in range(rollout.num_tool_calls)]
            found = [step.corruption for step in rollout.steps if step.call is not None and step.status != "mistake"]
            if any(found) and len(found) == rollout.num_tool_calls:
                assert [each[0].value if each else "" for each in drawn] == found
                spoilt += 1
    assert spoilt > 40


def test_another_document_is_one_that_the_search_found(graph: KnowledgeGraph) -> None:
    texts = {
        (step.call.name, step.observation)
        for _, rollout in _played(graph, 0.3)
        for step in rollout.steps
        if step.call is not None and step.corruption == "other_document"
    }
    assert {name for name, _ in texts} >= {"medical_retriever", "document_read"}
    for name, text in texts:
        assert "(OMIM:9): Gene: ZZZ9." in text
        assert text.startswith("[1] ") == (name != "document_read")
    question = _question(graph, *LONGEST[:3])
    for seed in range(20):  # the small library knows of nothing else, so an error page stands in for it
        rollout = _play(question, open_library(graph), _config(0.5, seed=seed))
        assert rollout is not None and not any(step.corruption == "other_document" for step in rollout.steps)


def _step(name: str, corruption: str = "", status: Any = "ok", query: str = "x") -> Step:
    return Step("", ToolCall(name, {"query": query}), "", status, corruption=corruption)


def _episode(*steps: Step) -> Rollout:
    return Rollout("q", 0, [], [], [], [], [*steps, Step("", None, "", "answer")], Ending.ANSWERED, "x")


def test_recoveries_are_counted_by_output() -> None:
    counted = recoveries(
        [
            _episode(_step("a", "cut"), _step("a"), _step("b", "empty"), _step("b", "cut"), _step("c")),
            _episode(_step("a", "cut"), _step("a", query="y")),  # another call of the same tool
            _episode(_step("a", "garbled"), _step("b", status="mistake"), _step("b")),
            _episode(_step("a"), _step("a", "error_page")),
        ]
    )
    assert (counted.outputs, counted.corrupted) == (12, 6)
    assert counted.kinds == {"empty": 1, "cut": 3, "garbled": 1, "error_page": 1}
    assert (counted.by_the_same_call, counted.by_another_call, counted.recovered) == (1, 4, 5)
    assert recoveries([]).recovered == 0
