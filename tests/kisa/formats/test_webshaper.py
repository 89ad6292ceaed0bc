import random
from pathlib import Path

import pytest

from kisa.formats.urls import url_of
from kisa.formats.webshaper import formalization_of, query_of, webshaper_line
from kisa.graph import KnowledgeGraph
from kisa.query import answers
from medrl.errors import DataError
from medrl.records import write_jsonl
from tests.kisa.formats.samples import branched, every_kind, lay, plain, together

GOLDEN = (
    '{"id":"q22eddfcb","question":"What is the condition that shows Heart murmur and is caused by AAA1?",'
    '"formalization":[["C@AAA1 (NCBIGene:11)","causes","V@X"],["V@X","shows","C@Heart murmur (HP:1000005)"]],'
    '"answer":"Beta syndrome","urls":["https://www.ncbi.nlm.nih.gov/gene/11","https://omim.org/entry/2",'
    '"https://hpo.jax.org/browse/term/HP:1000005","https://pubmed.ncbi.nlm.nih.gov/4/"],"split":"train"}\n'
)


def test_golden_line(graph: KnowledgeGraph, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "webshaper.jsonl", [webshaper_line(branched(graph, "NCBIGene:11", "OMIM:2"))])
    assert (tmp_path / "webshaper.jsonl").read_text(encoding="utf-8") == GOLDEN


def test_the_triplets_have_the_answers_of_the_question(graph: KnowledgeGraph) -> None:
    questions = every_kind(graph)
    for question in questions:
        query = query_of(formalization_of(question))
        assert query == question.query
        assert answers(graph, query) == answers(graph, question.query) == {question.relations[-1].object.id}
    constraints = {constraint for question in questions for _, constraint, _ in question.query[1]}
    assert constraints == {"", "organ_system", "frequency_class", "shows"}


def test_the_order_of_triplets_says_nothing(graph: KnowledgeGraph) -> None:
    for question in every_kind(graph):
        triplets = [list(triplet) for triplet in formalization_of(question)]
        random.Random(0).shuffle(triplets)
        asked = [["?" if part == "V@X" else part for part in triplet] for triplet in triplets]
        for formalization in (triplets, asked):
            anchors, steps = query_of(formalization)
            assert set(anchors) == set(question.query[0]) and steps == question.query[1]


def test_triplets_of_each_beginning(graph: KnowledgeGraph) -> None:
    assert formalization_of(lay(graph)) == [
        ("C@Skyish whites of the eyes (HP:1000001)", "lay_term_of", "V@Phenotype0"),
        ("V@Phenotype0", "presents_in", "V@Disease1"),
        ("V@Disease1", "caused_by", "V@X"),
    ]
    assert formalization_of(together(graph)) == [
        ("C@Tall stature (HP:1000002)", "presents_in", "V@Disease1"),
        ("C@Long fingers (HP:1000003)", "presents_in", "V@Disease1"),
        ("V@Disease1", "caused_by", "V@X"),
    ]
    assert formalization_of(plain(graph, 4))[-2:] == [
        ("V@Disease3", "has_finding", "V@X"),
        ("V@X", "frequency_class", "C@very rare"),
    ]


HOP = ["C@a (HP:1)", "presents_in", "V@X"]


@pytest.mark.parametrize(
    ("formalization", "says"),
    [
        ([], "begin with a constant"),
        ([["V@Y", "causes", "V@X"]], "begin with a constant"),
        ([HOP, ["C@b (HP:2)", "is_a", "V@X"]], "in one way"),
        ([["C@a", "presents_in", "V@X"]], "no id behind it"),
        ([["C@a (HP:1)", "presents_in"]], "2 parts"),
        ([["a (HP:1)", "presents_in", "V@X"]], "must join constants"),
        ([["C@a (HP:1)", "presents_in", "C@b (HP:2)"]], "must join constants"),
        ([HOP, ["V@X", "shows", "V@Y"]], "must join constants"),
        ([["C@a (HP:1)", "presents_in", "V@Y"]], "not one path that ends with V@X"),
        ([HOP, ["V@Y", "causes", "V@Z"]], "not one path"),
        ([HOP, ["V@Y", "shows", "C@b (HP:2)"]], "not one path"),
        ([HOP, ["C@b (HP:2)", "lay_term_of", "V@Y"]], "not one path"),
        ([HOP, ["V@X", "shows", "C@b (HP:2)"], ["V@X", "shows", "C@c (HP:3)"]], "narrowed 2 times"),
        ([HOP, ["V@X", "caused_by", "V@Y"], ["V@X", "causes", "V@Z"]], "one other variable"),
        ([HOP, ["V@X", "caused_by", "V@Y"], ["V@Y", "causes", "V@X"]], "one other variable"),
    ],
)
def test_what_is_no_path_is_refused(formalization: list[list[str]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        query_of(formalization)


@pytest.mark.parametrize(
    ("identifier", "url"),
    [
        ("PMID:7951214", "https://pubmed.ncbi.nlm.nih.gov/7951214/"),
        ("OMIM:154700", "https://omim.org/entry/154700"),
        ("ORPHA:558", "https://www.orpha.net/en/disease/detail/558"),
        ("HP:0001083", "https://hpo.jax.org/browse/term/HP:0001083"),
        ("HPO 2025-01-16", None),
        ("ISBN-13:978-0721606156", None),
        ("http://user:secret@example.org/1", None),
        ("PMID:", None),
        ("", None),
    ],
)
def test_pages_of_catalogues(identifier: str, url: str | None) -> None:
    assert url_of(identifier) == url
