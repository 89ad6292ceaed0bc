import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kisa.formats.placeholders import placeholders_of
from kisa.formats.qa import qa_line, read_qa
from kisa.formats.reasoning_path import reasoning_path
from kisa.graph import KnowledgeGraph
from kisa.names import occurs
from medrl.errors import DataError
from medrl.records import write_jsonl
from tests.kisa.formats.samples import branched, every_kind, lay, plain, together

GOLDEN = (
    '{"unique_id":"q0af153a5","question":"Mutations in which gene cause the only disease known to show the finding '
    'known to patients as Skyish whites of the eyes?","answer":"AAA1","reasoning_path":"1. **From Clue_1 to '
    "Entity_A**. Find the finding that Clue_1 stands for in everyday words: Entity_A.\\n2. **From Entity_A to "
    "Entity_B**. Find the disease that shows Entity_A: Entity_B.\\n3. **From Entity_B to Target_Entity**. Find the "
    'gene that causes Entity_B: Target_Entity.","entity_mapping":{"Clue_1":"Skyish whites of the eyes",'
    '"Entity_A":"Blue sclera","Entity_B":"Alpha disease","Target_Entity":"AAA1"},'
    '"generation_metadata":{"generation_method":"kisa","target_entity":"AAA1","nodes_used":3,'
    '"obfuscation_strategies":1,"medrl":{"id":"q0af153a5","aliases":[],"hops":2,"specialty":"cardiology",'
    '"split":"train","relations":[{"subject":{"id":"HP:1000001","name":"Blue sclera","kind":"phenotype"},'
    '"predicate":"presents_in","object":{"id":"OMIM:1","name":"Alpha disease","kind":"disease"},'
    '"temporal":{"curated":"2021-05-06"},"spatial":{"organ_system":"ocular"},"clinical":{"frequency":"3/7",'
    '"frequency_class":"frequent"},"provenance":{"reference":"PMID:1;ORPHA:9","evidence":"PCS"}},'
    '{"subject":{"id":"OMIM:1","name":"Alpha disease","kind":"disease"},"predicate":"caused_by",'
    '"object":{"id":"NCBIGene:11","name":"AAA1","kind":"gene"},"temporal":{},"spatial":{},"clinical":{},'
    '"provenance":{"reference":"OMIM:1","evidence":"TAS"}}],"anchors":["Skyish whites of the eyes"],"clues":[],'
    '"branches":[],"query":[["HP:1000001"],[["presents_in","",""],["caused_by","",""]]],"optimal":true}},'
    '"source_entity":"Blue '
    'sclera","run_id":"test","sampling_algorithm":"max_chain","domain_tags":["cardiology"]}\n'
)
#: As their own files have it; the last has nothing but a question and its answer.
FOREIGN = (
    '{"question": "哪种细菌？", "answer": "肺炎链球菌", "reasoning_path": "1. **第一步**。Clue_1 → Target_Entity", '
    '"entity_mapping": {"Clue_1": "肺泡发炎", "Target_Entity": "肺炎链球菌"}, "generation_metadata": '
    '{"generation_method": "unified_obfuscation_qa", "target_entity": "x", "nodes_used": 8, '
    '"obfuscation_strategies": ["a", "b"]}, "source_entity": "肺炎", "run_id": "r", "sampling_algorithm": '
    '"max_chain", "timestamp": "2025-08-18T17:22:27"}\n{"question": "What is full name of AI", "answer": '
    '"Artificial Intelligence"}\n'
)


def test_golden_line(graph: KnowledgeGraph, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "qa.jsonl", [qa_line(lay(graph), "test")])
    assert (tmp_path / "qa.jsonl").read_text(encoding="utf-8") == GOLDEN


def test_every_question_comes_back_equal(graph: KnowledgeGraph, tmp_path: Path) -> None:
    questions = every_kind(graph)
    awkward = replace(questions[0], text='Q "\\{x}"\n\u2028 Sjögren 😀?', aliases=("a;b", "ß"), split="heldout")
    questions.append(awkward)
    write_jsonl(tmp_path / "qa.jsonl", [qa_line(question, "test") for question in questions])
    items = list(read_qa(tmp_path / "qa.jsonl"))
    assert [item.question for item in items] == questions
    assert [(item.text, item.answer, item.id) for item in items] == [(q.text, q.answer, q.id) for q in questions]
    assert all(item.entity_mapping["Target_Entity"] == item.answer for item in items)


def test_the_guidance_of_a_tree_with_all_sorts_of_clues(graph: KnowledgeGraph) -> None:
    assert reasoning_path(plain(graph, 4)) == (
        "1. **From Clue_1 to Entity_A**. Find the disease that shows Clue_1: Entity_A.\n"
        "2. **From Entity_A to Entity_B**. Find the gene that causes Entity_A: Entity_B.\n"
        "3. **From Entity_B to Entity_C**. Find the disease that Entity_B causes, leaving aside what came before: "
        "Entity_C.\n"
        "4. **From Entity_C to Target_Entity**. Look through the findings of Entity_C for the only one that is Clue_2, "
        "leaving aside what came before: Target_Entity."
    )
    assert reasoning_path(branched(graph, "HP:1000004", "HP:1000003", "OMIM:1", "NCBIGene:11")) == (
        "1. **From Clue_1 to Entity_A**. Find the broader finding that Clue_1 is a form of: Entity_A.\n"
        "2. **From Entity_A to Entity_B**. Look through the diseases that show Entity_A for the one that shows Clue_2 "
        "as well: Entity_B.\n"
        "3. **From Entity_B to Target_Entity**. Find the gene that causes Entity_B: Target_Entity."
    )
    assert reasoning_path(together(graph)).startswith(
        "1. **From Clue_1 and Clue_2 to Entity_A**. Find the only disease that shows Clue_1 and Clue_2 together: "
        "Entity_A."
    )


def test_the_guidance_names_nothing(graph: KnowledgeGraph) -> None:
    """No entity of the whole graph by any of its names, nor what the question says: all of that has a placeholder."""
    names = [entity.name for entity in graph.entities.values()]
    names += [alias for facts in graph.facts.values() for alias in facts.aliases]
    for question in every_kind(graph):
        path, marks = reasoning_path(question), placeholders_of(question)
        assert not [
            name for name in (*names, *marks.names.values(), "very rare", "cardiovascular") if occurs(name, path)
        ]
        assert all(occurs(mark, path) for mark in marks.names)
        said = [name for mark, name in marks.names.items() if mark.startswith("Clue_")]
        assert all(occurs(clue, question.text) for clue in said)
        hidden = [name for mark, name in marks.names.items() if not mark.startswith("Clue_")]
        assert not [name for name in hidden if occurs(name, question.text)]


def test_files_of_others_have_questions_without_a_proof(tmp_path: Path) -> None:
    (tmp_path / "qa.jsonl").write_text(FOREIGN, encoding="utf-8")
    full, bare = read_qa(tmp_path / "qa.jsonl")
    assert (full.text, full.answer, full.question, full.id) == ("哪种细菌？", "肺炎链球菌", None, None)
    assert full.entity_mapping == {"Clue_1": "肺泡发炎", "Target_Entity": "肺炎链球菌"}
    assert full.reasoning_path == "1. **第一步**。Clue_1 → Target_Entity"
    assert (bare.text, bare.reasoning_path, bare.entity_mapping) == ("What is full name of AI", "", {})


def _ours(change: Callable[[dict[str, Any]], None]) -> bytes:
    line = json.loads(GOLDEN)
    change(line["generation_metadata"]["medrl"])
    return json.dumps(line).encode()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"question": "a", "answer"', "Invalid JSON"),
        (b"", "Invalid JSON"),
        (b'["a", "b"]', "should be an object"),
        (b'{"question": "a"}', "answer: Field required"),
        (b'{"question": "a", "answer": " "}', "answer: "),
        (b'{"question": 7, "answer": "b"}', "question: "),
        (b'{"question": "\xff", "answer": "b"}', "unicode"),
        (b'{"question": "a", "answer": "b", "entity_mapping": {"Clue_1": 3}}', "entity_mapping.Clue_1: "),
        (_ours(lambda ours: ours.pop("hops")), "generation_metadata.medrl.hops: Field required"),
        (_ours(lambda ours: ours.update(split="test")), "generation_metadata.medrl.split: "),
        (_ours(lambda ours: ours["relations"][1].pop("object")), "generation_metadata.medrl.relations.1.object: "),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: bytes, says: str) -> None:
    path = tmp_path / "qa.jsonl"
    path.write_bytes(GOLDEN.encode() + line + b"\n" + GOLDEN.encode())
    with pytest.raises(DataError) as raised:
        list(read_qa(path))
    assert str(raised.value).startswith(f"{path}:2: ") and says in str(raised.value)


def test_a_trajectory_is_no_question(tmp_path: Path) -> None:
    (tmp_path / "qa.jsonl").write_text('{"question": "q?", "answer": "a", "messages": []}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"qa.jsonl:1: a trajectory, not a question: `medrl import messages`"):
        list(read_qa(tmp_path / "qa.jsonl"))
