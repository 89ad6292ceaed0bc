"""A clean set passes every gate; each planted fault is caught by its own gate, and by that alone where it can be."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from envs.corpus import Document
from envs.tools.medical_retriever import Hit, MedicalRetriever
from kisa.dataset import Dataset
from kisa.documents import medical_documents
from kisa.gates import QualityReport
from kisa.graph import KnowledgeGraph
from kisa.proofs import flaw
from kisa.provenance import locate_evidence
from kisa.quality import Tried, assess
from medrl.chat import render_answer, render_call
from medrl.errors import DataError
from medrl.types import Ending, Question, Rollout, Step, ToolCall
from tests.kisa.chains import chain_along
from tests.kisa.library import Library
from tests.kisa.test_trajectories import _question

UNIQUE, NECESSARY, LEAK, SHORT, SOLVED, RECALL, LOCATED, ONE_SEARCH, MEMORY, EXACT, NEAR, FREQUENT = range(12)
IDS, SPLIT, ANSWERS, OPTIMAL, SPECIALTY, THOUGHT = range(12, 18)


ASKED = Tried(from_memory={"q": False})


class Retriever:
    """The small library, with `search` as the real one has it; `missing`: ids that it never finds."""

    def __init__(self, graph: KnowledgeGraph, missing: Sequence[str] = (), says: str = "No results.") -> None:
        self._library = Library("medical_retriever", graph)
        self._missing = missing
        self._says = says

    def prepare(self, queries: Sequence[str]) -> None:
        assert all(queries)

    def search(self, query: str, k: int, lam: float = 0.4) -> list[Hit]:
        documents = self._library._documents.values()
        named = [each for each in documents if each.title.rpartition(" (")[0].lower() in query.lower()]
        return [Hit(each, 1.0, 1.0, 1.0, 1.0, 1.0) for each in named if each.id not in self._missing][:k]

    async def call(self, arguments: dict[str, Any]) -> Any:
        from envs.tools.base import ToolResult

        return ToolResult(self._says)


def solved(question: Question, answer: str | None = None) -> Rollout:
    return Rollout(question.id, 0, [], [], [], [], [], Ending.ANSWERED, question.answer if answer is None else answer)


def gates(graph: KnowledgeGraph, question: Question, **changes: Any) -> list[bool]:
    return [gate.passed for gate in report(graph, question, **changes).gates]


def report(
    graph: KnowledgeGraph,
    *questions: Question,
    answer: str | None = None,
    tried: Tried | None = None,
    benchmarks: Sequence[Path] = (),
    **tool: Any,
) -> QualityReport:
    data = Dataset(list(questions), [], [solved(each, answer) for each in questions])
    retriever = cast(MedicalRetriever, Retriever(graph, **tool))
    return assess(graph, data, retriever, _documents(graph), tried or ASKED, benchmarks)


def _documents(graph: KnowledgeGraph) -> dict[str, Document]:
    return {document.id: document for document in medical_documents(graph)}


def failing(graph: KnowledgeGraph, question: Question, **changes: Any) -> set[int]:
    """The gates that fail, without those of a whole set (share of one answer, of one specialty)."""
    passed = gates(graph, question, **changes)
    return {index for index, each in enumerate(passed) if not each} - {FREQUENT, SPECIALTY}


@pytest.fixture
def question(graph: KnowledgeGraph) -> Question:
    made = _question(graph, "HP:1000001", "OMIM:1", "NCBIGene:11", "OMIM:2")
    assert flaw(graph, made) is None
    return locate_evidence(made, _documents(graph))


def test_a_sound_question_passes(graph: KnowledgeGraph, question: Question) -> None:
    assert failing(graph, question) == set()


def test_several_answers_are_caught(graph: KnowledgeGraph, question: Question) -> None:
    vague = replace(question, query=(("HP:1000002",), question.query[1][:1]), relations=question.relations[:1], hops=1)
    assert UNIQUE in failing(graph, vague)


def test_a_needless_clue_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    anchors, steps = question.query
    assert failing(graph, replace(question, query=(anchors, (("presents_in", "shows", "HP:1000002"), *steps[1:])))) == {
        NECESSARY
    }


@pytest.mark.parametrize("name", ["Beta syndrome", "AAA1", "Alpha disease", "Disease, alpha"])
def test_a_leak_is_caught(graph: KnowledgeGraph, question: Question, name: str) -> None:
    assert failing(graph, replace(question, text=f"{question.text} Not {name}.")) == {LEAK}


def test_a_short_cut_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    """The same answer from an anchor that leads there in fewer hops."""
    longer = replace(question, hops=question.hops + 2)
    assert failing(graph, longer) == {SHORT}


@pytest.mark.parametrize("answer", ["FBN1", ""])
def test_an_unsolved_question_is_caught(graph: KnowledgeGraph, question: Question, answer: str) -> None:
    assert failing(graph, question, answer=answer) == {SOLVED}


def test_evidence_that_is_not_found_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    assert failing(graph, question, missing=("NCBIGene:11", "OMIM:2")) == {RECALL}
    shown = report(graph, question, missing=("NCBIGene:11", "OMIM:2")).gates[RECALL]
    assert shown.value == pytest.approx(2 / 3) and shown.failed == {question.id: "hop 3"}


def test_evidence_that_is_not_where_it_is_said_to_be_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    first, *others = question.relations
    assert [each.provenance["document"] for each in question.relations] == ["HP:1000001", "OMIM:1", "NCBIGene:11"]
    text = _documents(graph)["HP:1000001"].text
    title = f"0:{len('Blue sclera')}"  # the right document, and the wrong end of the relation
    assert text.startswith("Blue sclera")
    for wrong in ({"span": "0:4"}, {"span": title}, {"document": "OMIM:3"}, {"document": "nowhere"}):
        moved = replace(first, provenance={**first.provenance, **wrong})
        assert failing(graph, replace(question, relations=(moved, *others))) == {LOCATED}
    assert failing(graph, replace(question, relations=(replace(first, provenance={}), *others))) == {LOCATED}


def test_an_answer_from_memory_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    """One of twenty may be known, two may not."""
    others = dict.fromkeys((f"q{number}" for number in range(19)), False)
    assert failing(graph, question, tried=Tried(from_memory={question.id: True, **others})) == set()
    assert failing(graph, question, tried=Tried(from_memory={question.id: True, **others, "q0": True})) == {MEMORY}


def test_an_unsolved_held_out_question_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    retriever = cast(MedicalRetriever, Retriever(graph))
    for tried, passed in ((ASKED, False), (replace(ASKED, solved=frozenset({question.id})), True)):
        found = assess(graph, Dataset([], [question], []), retriever, _documents(graph), tried)
        assert found.gates[SOLVED].passed is passed


def test_a_chain_that_may_not_be_the_longest_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    assert failing(graph, replace(question, optimal=False)) == {OPTIMAL}


def test_an_answer_that_one_search_shows_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    assert failing(graph, question, says="[1] Blue sclera (finding): Seen in: Beta syndrome.") == {ONE_SEARCH}


def test_duplicates_and_frequent_answers_are_caught(graph: KnowledgeGraph, question: Question) -> None:
    twin = replace(question, id="twin")
    near = replace(question, id="near", text=f"{question.text[:-1]}, please{question.text[-1]}")
    both = report(graph, question, twin, near)
    assert [both.gates[index].passed for index in (EXACT, NEAR, FREQUENT)] == [False, False, False]
    assert dict(both.gates[EXACT].failed) == {"twin": question.id}
    assert both.gates[FREQUENT].value == 1.0 and both.gates[FREQUENT].failed == {question.answer: "3 times"}


def test_what_joins_training_and_held_out_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    held = replace(question, id="held", split="heldout", text="Of what?")
    shared = assess(
        graph,
        Dataset([question], [held], [solved(question)]),
        cast(MedicalRetriever, Retriever(graph)),
        _documents(graph),
        ASKED,
    )
    assert [shared.gates[index].passed for index in (IDS, SPLIT, ANSWERS)] == [True, False, False]
    assert set(shared.gates[SPLIT].failed) == {"OMIM:1", "OMIM:2", "NCBIGene:11"}


def test_a_fault_of_a_held_out_question_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    held = replace(question, text=f"{question.text} Not {question.answer}.")
    found = assess(graph, Dataset([], [held], []), cast(MedicalRetriever, Retriever(graph)), _documents(graph), ASKED)
    assert not found.gates[LEAK].passed


def test_an_identifier_that_is_used_twice_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    assert not report(graph, question, replace(question, text="Of what?")).gates[IDS].passed


def test_a_missing_specialty_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    assert not report(graph, question).gates[SPECIALTY].passed


def test_a_benchmark_s_words_are_caught(graph: KnowledgeGraph, question: Question, tmp_path: Path) -> None:
    benchmark = tmp_path / "benchmark.txt"
    benchmark.write_text(f"1\t{question.text}\n")
    assert not report(graph, question, benchmarks=[benchmark]).gates[-1].passed
    benchmark.write_text("nothing that any of the questions above says in any way\n")
    assert report(graph, question, benchmarks=[benchmark]).gates[-1].passed
    with pytest.raises(DataError, match=r"missing.txt.*No such file"):
        report(graph, question, benchmarks=[tmp_path / "missing.txt"])


def test_the_report_counts_what_is_there(graph: KnowledgeGraph, question: Question) -> None:
    made = report(graph, question).as_json()
    assert made["composition"]["hops"] == {"3": 1} and made["composition"]["answers"] == {"disease": 1}
    assert made["composition"]["tasks"] == {"rare disease": 1} and made["composition"]["corruption"]["corrupted"] == 0
    assert len(made["gates"]) == 18 and not made["passed"]  # one specialty of twelve


def test_a_call_without_a_thought_is_caught(graph: KnowledgeGraph, question: Question) -> None:
    call = ToolCall("web_search", {"query": "x"})
    turns = [render_call("why", call), render_call("", call), render_call(" \n", call), render_answer("", "x")]
    steps = [Step(text, None if "<answer>" in text else call, "", "ok") for text in turns]
    rollout = replace(solved(question), steps=steps)
    data = Dataset([question], [], [rollout])
    gate = assess(graph, data, cast(MedicalRetriever, Retriever(graph)), _documents(graph), ASKED).gates[THOUGHT]
    assert not gate.passed and gate.value == pytest.approx(1 / 3) and gate.n == 3
    assert list(gate.failed) == [f"{question.id} turn 2", f"{question.id} turn 3"]


def test_branches_are_held_to_the_same(graph: KnowledgeGraph) -> None:
    import random

    from kisa.questions import question_of

    rng = random.Random(0)
    chain = chain_along(graph, "HP:1000003", "OMIM:1", rng=rng, narrow=True)
    bare = question_of(graph, chain, rng, seed=0, split="train", specialty="cardiology")
    made = locate_evidence(bare, _documents(graph))
    assert made.branches and failing(graph, made) == set()
    assert RECALL in failing(graph, made, missing=(made.branches[0].subject.id, made.branches[0].object.id))
