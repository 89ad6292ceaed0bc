"""Reading one document for a goal."""

import asyncio

import pytest

from envs.corpus import Document
from envs.library import Library
from envs.reading.pages import Pages
from envs.retrieval.embedding import Encoder, Floats
from envs.retrieval.index import Index
from envs.sources.base import Candidate
from envs.text import estimate_tokens
from envs.tools.base import ToolResult
from envs.tools.document_read import DocumentRead
from medrl.errors import ToolOutage
from medrl.state import Fact
from tests.envs.small import DOCUMENTS
from tests.misbehaving import MisbehavingServer, raw, status
from tests.web import QUICK, REFERENCE, SmallWeb


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


class Registry:
    """A source with one document; notes what it was asked."""

    def __init__(self, name: str, id: str, *sections: str) -> None:
        self.name = name
        self.asked: list[str] = []
        self._known = Document(id, f"{name} record", sections, "pubmed", "")

    async def candidates(self, query: str, vector: Floats, k: int) -> list[Candidate]:
        return []

    async def document(self, id: str) -> Document | None:
        self.asked.append(id)
        if id == "down":
            raise ToolOutage(f"{self.name}: down")
        return self._known if id == self._known.id else None


def test_sources_are_asked_in_turn_after_the_index(index: Index, encoder: Encoder) -> None:
    first, second = Registry("a", "PMID:1", "On lenses."), Registry("b", "NCT2", "On hearts.", "On aortas.")
    tool = DocumentRead(index, encoder, 150, library=Library(index, [first, second]))

    def ask(document: str) -> ToolResult:
        return asyncio.run(tool.call({"document": document, "goal": "aorta"}))

    assert ask("FBN1").sources == ("NCBIGene:2200",) and not first.asked
    assert ask(" PMID:1 ").text == "[untrusted text] a record: On lenses." and not second.asked
    assert ask("NCT2") == ToolResult("[untrusted text] b record: On aortas.", ("NCT2",))
    assert ask("NCT3").is_mistake and first.asked == ["PMID:1", "NCT2", "NCT3"]
    assert ask("https://www.example.org/").is_mistake and len(first.asked) == 3
    with pytest.raises(ToolOutage):
        ask("down")


def test_a_document_without_sections_says_so_by_its_title(index: Index, encoder: Encoder) -> None:
    tool = DocumentRead(index, encoder, 150, library=Library(index, [Registry("a", "PMID:1")]))
    result = asyncio.run(tool.call({"document": "PMID:1", "goal": "x"}))
    assert result.text == "[untrusted text] a record:" and not result.is_mistake


def test_a_page_of_the_web_is_read_for_the_goal_and_marked(index: Index, encoder: Encoder) -> None:
    body = "<title>Marfan</title>" + "".join(f"<p>Paragraph {n} is about nothing in particular.</p>" for n in range(50))
    page = raw((body + "<h2>Cause</h2><p>Mutations in FBN1.").encode(), headers={"Content-Type": "text/html"})
    with MisbehavingServer([page, status(404), status(500)]) as server:
        pages = Pages(QUICK, reach=SmallWeb(server.port).reach, reference=REFERENCE)
        tool = DocumentRead(index, encoder, 40, pages=pages)
        arguments = {"document": "http://www.example.org/marfan", "goal": "mutations"}
        found, missing, down = (asyncio.run(tool.call(arguments)) for _ in range(3))
    address = "http://www.example.org/marfan"
    fact = Fact("Marfan", "cause", "Mutations in FBN1", address)
    assert found == ToolResult("[untrusted text] Marfan: Cause: Mutations in FBN1.", (address,), facts=(fact,))
    assert missing.is_mistake and missing.sources == () and "404" in missing.text
    assert not down.is_mistake and down.sources == () and "could not be read: HTTP status 500" in down.text


def test_text_without_blanks_is_cut_by_letters(index: Index, encoder: Encoder) -> None:
    tool = DocumentRead(index, encoder, 60, len, library=Library(index, [Registry("a", "PMID:1", "字" * 400)]))
    text = asyncio.run(tool.call({"document": "PMID:1", "goal": "x"})).text
    assert text.startswith("[untrusted text] a record: 字") and text.endswith("字…") and len(text) <= 61
