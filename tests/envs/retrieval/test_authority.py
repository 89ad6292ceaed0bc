"""Auth(d): ordered by evidence, bounded, too flat to outweigh relevance."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from envs.corpus import Document
from envs.retrieval.authority import (
    CAVEAT_PENALTY,
    EVIDENCE_PENALTY,
    KIND_PENALTY,
    SOURCE_PENALTY,
    authority,
    parts,
    total,
)
from envs.retrieval.journals import Journals
from medrl.errors import DataError
from tests.envs.small import DOCUMENTS

ALL = [
    replace(DOCUMENTS[0], evidence=evidence, source=source)
    for evidence, source in itertools.product([*EVIDENCE_PENALTY, "", "NEW"], [*SOURCE_PENALTY, "elsewhere"])
]


@pytest.mark.parametrize("source", SOURCE_PENALTY)
def test_better_evidence_never_ranks_lower(source: str) -> None:
    study, author, electronic, none = (
        authority(replace(DOCUMENTS[0], evidence=code, source=source)) for code in ("PCS", "TAS", "IEA", "")
    )
    assert study > author > electronic >= none


def test_bounds_and_spread_within_the_medical_corpus() -> None:
    assert all(0.0 <= authority(document) <= 1.0 for document in ALL)
    medical = [authority(each) for each in ALL if each.source not in ("web", "elsewhere")]
    # At λ = 0.4 the widest gap in Auth must not outweigh 0.1 of relevance: 0.6·gap <= 0.4·0.1.
    assert max(medical) - min(medical) <= 0.4 * 0.1 / 0.6 + 1e-9


def test_unknown_source_ranks_with_the_lowest() -> None:
    assert authority(replace(DOCUMENTS[0], source="elsewhere")) == authority(replace(DOCUMENTS[0], source="web"))


def article(*kinds: str, journal: str = "") -> Document:
    return Document("PMID:1", "A title", ("A sentence.",), "pubmed", "", kinds=kinds, journal=journal)


def test_the_ontology_keeps_its_values() -> None:
    """1 − code − source, as before publications had a place in it: the same floats, so that no tie changes."""
    for document in DOCUMENTS:
        code = {"PCS": 0.0, "TAS": 0.02}.get(document.evidence, 0.04)
        source = {"omim": 0.0, "orphanet": 0.0, "hpo": 0.01, "ncbi_gene": 0.01, "decipher": 0.02}[document.source]
        assert authority(document) == 1.0 - code - source


def test_publications_stand_in_the_order_of_the_pyramid() -> None:
    pyramid = ["practice guideline", "meta-analysis", "randomized controlled trial", "clinical trial", "case reports"]
    weights = [authority(article(kind)) for kind in [*pyramid, "editorial"]]
    assert weights == sorted(set(weights), reverse=True)
    assert authority(article("journal article", "review", "practice guideline")) == weights[0]  # the best kind counts
    assert authority(article("journal article")) == authority(article())  # says nothing


@pytest.mark.parametrize("caveat", CAVEAT_PENALTY)
def test_a_caveat_counts_whatever_else_a_document_is(caveat: str) -> None:
    for kind in KIND_PENALTY:
        assert authority(article(kind, caveat)) == pytest.approx(
            max(0, authority(article(kind)) - CAVEAT_PENALTY[caveat])
        )


def test_a_retracted_article_never_wins() -> None:
    """At λ = 0.4 all of relevance does not make up for it."""
    retracted = authority(article("randomized controlled trial", "retracted publication"))
    least = min(authority(each) for each in ALL)
    assert retracted <= 0.05 and 0.4 * 1.0 + 0.6 * retracted < 0.6 * least


def test_parts_make_up_the_whole(tmp_path: Path) -> None:
    (tmp_path / "journals.tsv").write_text("title\timpact\nThe Lancet\t98.4\n1234-5678\t1\nSmall Letters\t0\n")
    journals = Journals.read(tmp_path / "journals.tsv")
    document = article("preprint", "review", journal="the lancet")
    found = parts(document, journals)
    assert [(part.of, part.found) for part in found] == [
        ("strength", "review"),
        ("source", "pubmed"),
        ("caveat", "preprint"),
        ("journal", "the lancet"),
    ]
    assert total(found) == authority(document, journals) == pytest.approx(1 - sum(part.penalty for part in found))
    assert parts(document)[:3] == found[:3] and len(parts(document)) == 3  # without a table, journals do not count
    assert parts(article(), journals) == parts(article())  # nor does a document without one


def test_journals_stand_by_their_impact() -> None:
    journals = Journals({"Great": 250.0, "Good": 9.0, "Fair": 1.0, "None": 0.0, "1234-567X": 3.0})
    standing = [journals.standing(name) for name in ("GREAT", "good", "1234567x", "fair", "none")]
    assert standing == sorted(set(standing), reverse=True) and standing[0] == 1.0 and standing[-1] == 0.0
    assert journals.standing("never heard of") == journals.standing("1234-567X")  # the median


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no journal in it"), ("title\timpact\nThe Lancet\thigh\n", ":2: give a title"), ("a\t1\nb 2\n", ":2:")],
)
def test_a_bad_table_of_journals_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "journals.tsv").write_text(text)
    with pytest.raises(DataError, match=message):
        Journals.read(tmp_path / "journals.tsv")
    with pytest.raises(DataError, match=r"knowledge\.journals"):
        Journals.read(tmp_path / "nowhere.tsv")
