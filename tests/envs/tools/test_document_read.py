"""Reading one document for a goal."""

import asyncio

import pytest

from envs.embedding import Encoder
from envs.index import Index
from envs.text import estimate_tokens
from envs.tools.base import ToolResult
from envs.tools.document_read import DocumentRead
from tests.envs.small import DOCUMENTS


def read(index: Index, encoder: Encoder, document: str, goal: str, limit: int = 150) -> ToolResult:
    return asyncio.run(DocumentRead(index, encoder, limit).call({"document": document, "goal": goal}))


@pytest.mark.parametrize(
    ("goal", "section"),
    [("which gene", 0), ("how is it inherited", 1), ("heart", 2), ("eyes", 3), ("bones and limbs", 4)],
)
def test_a_tight_limit_leaves_what_serves_the_goal(index: Index, encoder: Encoder, goal: str, section: int) -> None:
    result = read(index, encoder, "OMIM:154700", goal, limit=34)
    assert DOCUMENTS[0].sections[section] in result.text and result.sources == ("OMIM:154700",)
    assert estimate_tokens(result.text) <= 36


def test_room_for_all_keeps_all_in_order(index: Index, encoder: Encoder) -> None:
    result = read(index, encoder, "marfan syndrome", "eyes", limit=500)
    assert result.text == " ".join(("Marfan syndrome (OMIM:154700):", *DOCUMENTS[0].sections))


def test_a_long_section_is_cut_around_the_goal(index: Index, encoder: Encoder) -> None:
    text = read(index, encoder, "HP:0000768", "Coffin-Lowry syndrome", limit=40).text
    assert "Coffin-Lowry syndrome" in text and "…" in text and estimate_tokens(text) <= 42


def test_unknown_and_ambiguous_names_are_mistakes(index: Index, encoder: Encoder) -> None:
    unknown = read(index, encoder, "Marfan sindrome", "gene")
    assert unknown.is_mistake and "Nearest: Marfan syndrome" in unknown.text and unknown.sources == ()
    ambiguous = read(index, encoder, "Ectopia lentis", "gene")
    assert (
        ambiguous.is_mistake and "2 documents: Ectopia lentis (finding); Ectopia lentis (OMIM:000001)" in ambiguous.text
    )
    assert read(index, encoder, "Ectopia lentis (finding)", "diseases").sources == ("HP:0001083",)
