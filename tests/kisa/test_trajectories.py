import asyncio
import random

import pytest

from envs.tools.base import Tool
from kisa.graph import KnowledgeGraph
from kisa.guidance import mask
from kisa.planner import named, teach
from kisa.questions import Chain, question_of
from kisa.trajectories import demonstrate
from medrl.chat import ChatCodec
from medrl.config import Config
from medrl.rewards import RubricScore, efficiency_penalty, expert_rubric
from medrl.types import Ending, Question, Rollout
from tests.kisa.chains import chain_along
from tests.kisa.library import Library, open_library
from tests.tiny import tiny_tokenizer

LONGEST = ("HP:1000001", "OMIM:1", "NCBIGene:11", "OMIM:2", "HP:1000005")
CONFIG = Config.model_validate(
    {
        "name": "test",
        "model": {"max_length": 8000},  # the test's tokenizer has a token for each byte
        "env": {"max_turn_tokens": 400, "observation_tokens": 800},
        "kisa": {"exploration_fraction": 0.0, "corruption_fraction": 0.0},
    }
)


def _question(graph: KnowledgeGraph, *identifiers: str, seed: int = 0, lay: str | None = None) -> Question:
    rng = random.Random(seed)
    chain = chain_along(graph, *identifiers, rng=rng)
    return question_of(
        graph, Chain(chain.relations, chain.steps, lay=lay), rng, seed=0, split="train", specialty="cardiology"
    )


def _play(question: Question, tools: dict[str, Tool]) -> Rollout | None:
    return asyncio.run(demonstrate(question, tools, ChatCodec(tiny_tokenizer()), CONFIG))


@pytest.mark.parametrize("hops", [2, 3, 4])
def test_the_teacher_finds_the_answer_with_one_call_a_hop(graph: KnowledgeGraph, hops: int) -> None:
    for seed in range(8):
        question = _question(graph, *LONGEST[: hops + 1], seed=seed)
        rollout = _play(question, open_library(graph))
        assert rollout is not None
        assert rollout.ending is Ending.ANSWERED and rollout.answer == question.answer
        assert rollout.num_tool_calls == hops
        assert rollout.steps[-1].status == "answer"
        assert all(step.status == "ok" for step in rollout.steps[:-1])
        assert rollout.duration_s == rollout.tools_s == sum(step.latency_s for step in rollout.steps) == 0.0
        assert len(rollout.token_ids) == len(rollout.action_mask)
        expected = ["medical_retriever"] + ["document_read"] * 3
        assert [step.call.name for step in rollout.steps if step.call] == expected[:hops]


def test_each_name_is_said_only_after_a_tool_has_shown_it(graph: KnowledgeGraph) -> None:
    question = _question(graph, *LONGEST)
    rollout = _play(question, open_library(graph))
    assert rollout is not None
    shown = question.text
    for step in rollout.steps:
        for entity in question.entities:
            if entity.name in step.text:
                assert entity.name in shown
        shown += step.observation


def test_everyday_words_go_to_the_web_first(graph: KnowledgeGraph) -> None:
    question = _question(graph, *LONGEST[:3], lay="Skyish whites of the eyes")
    rollout = _play(question, open_library(graph))
    assert rollout is not None
    calls = [step.call for step in rollout.steps if step.call]
    assert [call.name for call in calls] == ["web_search", "document_read", "document_read"]
    assert calls[0].arguments == {"query": "Skyish whites of the eyes"}
    assert calls[1].arguments["document"] == "Blue sclera"


def test_a_snippet_without_the_entity_is_followed_by_a_reading(graph: KnowledgeGraph) -> None:
    tools = open_library(graph)
    tools["medical_retriever"] = Library("medical_retriever", graph, sections=0)
    rollout = _play(_question(graph, *LONGEST[:3]), tools)
    assert rollout is not None and rollout.answer == "AAA1"
    names = [step.call.name for step in rollout.steps if step.call]
    assert names == ["medical_retriever", "document_read", "document_read"]


def test_a_name_that_no_document_has_alone_is_searched_for(graph: KnowledgeGraph) -> None:
    question = _question(graph, *LONGEST[:3])
    turns = teach(named(question), mask(question))
    next(turns)
    assert '"document": "Omega disease"' in turns.send("[1] Blue sclera (finding): Seen in: Omega disease.")
    said = turns.send("document_read: 'Omega disease' is the name of 2 documents: …")
    assert '"medical_retriever"' in said and "Omega disease gene" in said
    assert turns.send("[1] Omega disease (OMIM:5): Gene: ZZZ9.").endswith("<answer>ZZZ9</answer>")


def test_the_rubric_gives_the_teacher_full_marks(graph: KnowledgeGraph) -> None:
    for hops in (2, 3, 4):
        question = _question(graph, *LONGEST[: hops + 1])
        rollout = _play(question, open_library(graph))
        assert rollout is not None
        assert expert_rubric(rollout, question) == RubricScore(1.0, 1.0, 1.0)
        assert efficiency_penalty(rollout, question) == 0.0


def test_a_wrong_answer_and_a_dead_end_leave_no_trajectory(graph: KnowledgeGraph) -> None:
    question = _question(graph, *LONGEST[:3])
    fields = {name: getattr(question, name) for name in Question.__dataclass_fields__}
    assert _play(Question(**(fields | {"answer": "XYZ9"})), open_library(graph)) is None
    empty = KnowledgeGraph("none")
    assert _play(question, open_library(empty)) is None


def test_the_teacher_sees_text_anchors_and_mask_alone(graph: KnowledgeGraph) -> None:
    """Fed observations of another world, it answers from them: nothing else can have told it."""
    question = _question(graph, *LONGEST[:3])
    turns = teach(named(question), mask(question))
    assert '"query": "Blue sclera seen in"' in next(turns)
    said = turns.send("[1] Blue sclera (finding): Seen in: Omega disease.")
    assert '"document": "Omega disease"' in said
    assert turns.send("Omega disease (OMIM:5): Gene: ZZZ9.").endswith("<answer>ZZZ9</answer>")


def test_the_teacher_looks_where_two_lists_meet(graph: KnowledgeGraph) -> None:
    for path in (("NCBIGene:11", "OMIM:2"), ("HP:1000003", "OMIM:1", "NCBIGene:11")):
        rng = random.Random(0)
        chain = chain_along(graph, *path, rng=rng, narrow=True)
        question = question_of(graph, chain, rng, seed=0, split="train", specialty="cardiology")
        rollout = _play(question, open_library(graph))
        assert rollout is not None and rollout.answer == question.answer
        assert rollout.num_tool_calls == question.hops + len(question.branches) == len(path)
