import random

from kisa.graph import KnowledgeGraph
from kisa.tasks import task_of
from medrl.types import Entity, Relation
from tests.fakes import question
from tests.kisa.formats.samples import every_kind
from tests.kisa.test_trajectories import LONGEST, _question


def test_the_last_hop_tells_the_task(graph: KnowledgeGraph) -> None:
    assert task_of(_question(graph, "HP:1000001", "OMIM:1")) == "diagnosis"
    expected = {2: "genetics", 3: "rare disease", 4: "findings"}
    assert {hops: task_of(_question(graph, *LONGEST[: hops + 1])) for hops in expected} == expected


def test_other_kinds_are_tasks_of_their_own() -> None:
    gout, drug = Entity("d", "Gout", "disease"), Entity("x", "Allopurinol", "drug")
    assert task_of(question(relations=(Relation(gout, "treated_by", drug),))) == "drug"
    assert task_of(question(relations=(Relation(drug, "treats", gout),))) == "disease"
    assert task_of(question()) == "other"


def test_a_task_is_of_the_chain_alone(graph: KnowledgeGraph) -> None:
    """Not of how the question begins, nor of its words."""
    questions = every_kind(graph)
    random.Random(0).shuffle(questions)
    kinds = {"genetics": "gene", "rare disease": "disease", "diagnosis": "disease", "findings": "phenotype"}
    assert {kinds[task_of(each)] for each in questions} == {"gene", "disease", "phenotype"}
    assert all(kinds[task_of(each)] == each.entities[-1].kind for each in questions)
