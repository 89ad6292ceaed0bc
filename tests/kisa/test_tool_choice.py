"""The choice of tools is fitted to the teacher's episodes, and the teacher goes by it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from envs.state import replay
from envs.toolbox import open_toolbox, open_vocabulary
from envs.tools.selector import FEATURES, Advisor, Selector, ToolClass, decisions, fit
from kisa.graph import KnowledgeGraph
from kisa.knowledge import build_knowledge
from kisa.tool_choice import learn_tool_choice
from kisa.trajectories import demonstrate, teachers_advisor
from medrl.chat import ChatCodec
from medrl.config import Config
from medrl.errors import ConfigError
from medrl.records import write_jsonl
from medrl.types import Question, Rollout
from tests.kisa.test_trajectories import LONGEST, _question
from tests.tiny import tiny_tokenizer


def configured(folder: Path, cache: Path, **kisa: object) -> Config:
    return Config.model_validate(
        {
            "name": "test",
            "model": {"max_length": 8000},
            "env": {"max_turn_tokens": 400, "observation_tokens": 800},
            "knowledge": {"ontology": str(folder), "cache": str(cache)},
            "kisa": {"exploration_fraction": 0.0, **kisa},
        }
    )


def played(
    graph: KnowledgeGraph, config: Config, knowledge: Path, advisor: Advisor | None = None
) -> list[tuple[Question, Rollout]]:
    tools, codec = open_toolbox(knowledge, config.knowledge), ChatCodec(tiny_tokenizer())
    questions = [_question(graph, *LONGEST[: hops + 1], seed=seed) for hops in (2, 3, 4) for seed in range(4)]
    made = []
    for number, question in enumerate(questions):
        question = replace(question, id=f"q{number}")
        rollout = asyncio.run(demonstrate(question, tools, codec, config, advisor))
        assert rollout is not None
        made.append((question, rollout))
    return made


def prefers(preferred: ToolClass) -> Selector:
    weights = (1.0, *(0.0,) * (len(FEATURES) - 1))
    none = (-1.0, *weights[1:])
    medical, general = (weights, none) if preferred == "medical" else (none, weights)
    return Selector(medical=medical, general=general, decisions=1)


def calls(made: list[tuple[Question, Rollout]]) -> set[tuple[str, ...]]:
    return {tuple(step.call.name for step in rollout.steps if step.call) for _, rollout in made}


def test_fitted_written_and_consulted(folder: Path, graph: KnowledgeGraph, tmp_path: Path) -> None:
    config = configured(folder, tmp_path / "cache")
    knowledge = build_knowledge(config.knowledge)
    made = played(graph, config, knowledge)
    for _, rollout in made:  # the real tools' facts are those that their texts hold
        assert rollout.state == replay(rollout.steps, rollout.answer)[-1] and rollout.state.facts
        assert rollout.state.hypotheses[-1].name == rollout.answer
    out = tmp_path / "data"
    write_jsonl(out / "questions.jsonl", [question for question, _ in made])
    write_jsonl(
        out / "trajectories.jsonl", [rollout for _, rollout in made[:-1]] + [replace(made[-1][1], answer="wrong")]
    )
    counted = learn_tool_choice(config, knowledge, out)
    vocabulary = open_vocabulary(knowledge, config.knowledge)
    expected = fit(
        each for question, rollout in made[:-1] for each in decisions(question.text, rollout.steps, vocabulary)
    )
    assert Selector.load(out / "tool_choice.json") == expected and counted == {"decisions": expected.decisions}
    advisor = teachers_advisor(
        configured(folder, tmp_path / "cache", tool_choice=str(out / "tool_choice.json")), knowledge
    )
    assert advisor == Advisor(expected, advisor.vocabulary) and teachers_advisor(config, knowledge) is None


@pytest.mark.parametrize(("preferred", "tool"), [("medical", "medical_retriever"), ("general", "document_read")])
def test_the_teacher_searches_or_reads_as_it_prefers(
    folder: Path, graph: KnowledgeGraph, tmp_path: Path, preferred: ToolClass, tool: str
) -> None:
    config = configured(folder, tmp_path / "cache")
    knowledge = build_knowledge(config.knowledge)
    plain = played(graph, config, knowledge)
    advisor = Advisor(prefers(preferred), open_vocabulary(knowledge, config.knowledge))
    advised = played(graph, config, knowledge, advisor)
    assert calls(advised) != calls(plain)
    assert all(names[0] == tool for names in calls(advised))
    assert all(step.choice is not None for _, rollout in advised for step in rollout.steps if step.call)
    assert [rollout.answer for _, rollout in advised] == [rollout.answer for _, rollout in plain]


def test_weights_that_are_not_there_are_said_to_be_missing(folder: Path, tmp_path: Path) -> None:
    config = configured(folder, tmp_path / "cache", tool_choice=str(tmp_path / "none.json"))
    with pytest.raises(ConfigError, match="none.json: No such file"):
        teachers_advisor(config, tmp_path)
