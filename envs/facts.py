"""The facts of k_t in what a tool showed, and nothing that it did not show.

A section such as "Genes: FBN1; FBN2." of the document "Marfan syndrome (OMIM:154700)" holds two facts:

    (Marfan syndrome, gene, FBN1, OMIM:154700), (Marfan syndrome, gene, FBN2, OMIM:154700)
"""

import re
from collections.abc import Iterator, Sequence
from typing import TypedDict

from envs.corpus import Document
from envs.retrieval.index import bare_name
from envs.tools.base import UNTRUSTED
from medrl.state import Candidate, Fact

#: Predicates that give an entity another name.
NAMING = frozenset(("in everyday words", "also called", "also known as"))
#: Of a finding, the disease that a differential ranked first.
SUGGESTS = "suggests"
#: Of a disease, a finding that it is known not to show.
ABSENT = "absent"

_LABEL = r"[A-Z][^.;:]{0,59}"
_SECTION = re.compile(rf"(?P<label>{_LABEL}): (?=\S)")
_SENTENCE = re.compile(r"(?<=[.…]) (?=[A-Z])")
_NEXT_SECTION = re.compile(rf"(?<=[.…]) (?={_LABEL}: )")
_RANKED = re.compile(r"^\d+\. (?P<name>.+?) \([A-Z]+:\d+\) P=(?P<probability>[\d.e-]+)", re.MULTILINE)
_NOT_KNOWN = "not known"
#: An item longer than this is prose behind a colon.
_ITEM_CHARACTERS = 100


def facts_in(document: Document, shown: str) -> tuple[Fact, ...]:
    """What the document's labelled lists say, as far as `shown` holds it, in the document's order.

    An item that was cut, or that stands under a label which was not shown, is no fact.
    """
    subject = bare_name(document)
    return tuple(
        Fact(subject, _predicate(label), item, document.id)
        for label, said in _labelled(document.sections)
        if (parts := list(_under(label, shown)))
        for item in _items(said)
        if any(_holds(part, item) for part in parts)
    )


def facts_of(documents: Sequence[Document], lines: Sequence[str]) -> tuple[Fact, ...]:
    """`facts_in` of each document and the line that showed it."""
    return tuple(fact for each, line in zip(documents, lines, strict=True) for fact in facts_in(each, line))


class Ranking(TypedDict):
    """What a differential brings to the state, as `ToolResult` takes it."""

    facts: tuple[Fact, ...]
    hypotheses: tuple[Candidate, ...]


def ranking(shown: str, findings: Sequence[str], sources: Sequence[str]) -> Ranking:
    """The diseases that a differential shows with their P, and of each of its findings: it suggests the likeliest.

    `sources`: ids of the diseases, best first. One line a disease: "1. Marfan syndrome (OMIM:154700) P=0.82; …".
    """
    ranked = tuple(Candidate(each["name"], float(each["probability"])) for each in _RANKED.finditer(shown))
    first = list(zip(ranked[:1], sources, strict=False))
    facts = tuple(Fact(finding, SUGGESTS, each.name, source) for finding in findings for each, source in first)
    return Ranking(facts=facts, hypotheses=ranked)


def read_facts(observation: str, sources: Sequence[str]) -> tuple[Fact, ...]:
    """The facts of an observation of which only the text was kept: `sources` are its documents, a line each."""
    documents, lines = [], observation.split("\n")[: len(sources)]
    for line, source in zip(lines, sources, strict=False):
        said = re.sub(r"^\[\d+\] ", "", line).removeprefix(UNTRUSTED)
        head, found, body = said.partition("): ")
        documents.append(Document(source, head + ")" * bool(found), tuple(_SENTENCE.split(body)), "", ""))
    return facts_of(documents, lines)


def _labelled(sections: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Label, and what stands behind it without its full stop, of every section that begins with one."""
    for section in sections:
        found = _SECTION.match(section)
        if found is not None:
            said = section[found.end() :]
            yield found["label"], said if said == "." else said.removesuffix(".")


def _items(said: str) -> list[str]:
    """The items of a list; none where one is so long that it is prose."""
    items = [each for each in said.split("; ") if not each.endswith("…") and each != _NOT_KNOWN]
    return items if all(len(item) <= _ITEM_CHARACTERS for item in items) else []


def _predicate(label: str) -> str:
    """ "More ocular findings (30-79%)" -> "ocular findings", "Seen in 9 diseases, among them" -> "seen in"."""
    name = re.sub(r" [(\d].*", "", label).removeprefix("More ").lower()
    return "gene" if name == "genes" else name


def _under(label: str, shown: str) -> Iterator[str]:
    """What stands under each `label` that is shown, up to the next label."""
    lead = f"{label}: "
    at = shown.find(lead)
    while at >= 0:
        if at == 0 or shown[at - 1] == " ":
            yield _NEXT_SECTION.split(shown[at + len(lead) :], maxsplit=1)[0]
        at = shown.find(lead, at + len(lead))


def _holds(part: str, item: str) -> bool:
    """Whether the whole item stands in that part of a list."""
    at = part.find(item)
    while at >= 0:
        before, after = part[:at], part[at + len(item) :]
        if (not before or before.endswith("; ")) and (not after or after == "." or after.startswith(("; ", ". "))):
            return True
        at = part.find(item, at + 1)
    return False
