import pytest

from kisa.expansion import discovery_queries
from kisa.graph import KnowledgeGraph
from kisa.workshop import expected_queries
from medrl.sections.kisa import KisaConfig


@pytest.mark.parametrize(("train", "expected"), [(100, []), (800, None), (5000, None)])
def test_queries_are_encoded_ahead_where_enough_of_them_are_asked(
    graph: KnowledgeGraph, train: int, expected: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, the 2,300 queries of 1,000 questions take as long as 23,000 together."""
    many = [f"query {number}" for number in range(20_000)]
    monkeypatch.setattr("kisa.workshop.discovery_queries", lambda _: many)
    config = KisaConfig(train_questions=train, heldout_questions=200)
    assert expected_queries(graph, config) == (many if expected is None else expected)


def test_they_are_those_that_growth_asks(graph: KnowledgeGraph) -> None:
    assert expected_queries(graph, KisaConfig()) == discovery_queries(graph) != []
