import gzip
from pathlib import Path

import pytest

from envs.sources.citations import Citation
from kisa.sources.pubmed import read_pubmed
from kisa.sources.skipped import Skipped
from medrl.errors import DataError

CITATION = """
<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article>
  <Journal><JournalIssue><PubDate>{date}</PubDate></JournalIssue><Title>Gut</Title></Journal>
  <ArticleTitle>{title}</ArticleTitle>
  <Abstract><AbstractText Label="AIM">To see <i>TERT</i> at
     p&lt;0.05.</AbstractText><AbstractText>It was.</AbstractText></Abstract>
  <PublicationTypeList><PublicationType UI="D1">Review</PublicationType></PublicationTypeList></Article>
  <MeshHeadingList><MeshHeading><DescriptorName>Adult</DescriptorName></MeshHeading></MeshHeadingList>
</MedlineCitation><PubmedData><ArticleIdList><ArticleId>1</ArticleId></ArticleIdList></PubmedData></PubmedArticle>
"""
JUNE = "<Year>2017</Year><Month>Jun</Month><Day>5</Day>"


def pubmed(*citations: str, head: str = "") -> str:
    return f'<?xml version="1.0"?>{head}<PubmedArticleSet>{"".join(citations)}</PubmedArticleSet>'


def one(pmid: str = "7", title: str = "Telomeres", date: str = JUNE) -> str:
    return CITATION.format(pmid=pmid, title=title, date=date)


def read(path: Path, text: str | bytes) -> tuple[list[Citation], Skipped]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    skipped = Skipped(path)
    return list(read_pubmed(path, skipped)), skipped


def test_a_citation_with_all_its_parts(tmp_path: Path) -> None:
    (citation,), skipped = read(tmp_path / "a.xml", pubmed(one()))
    assert citation == Citation(
        "7",
        "Telomeres",
        (("AIM", "To see TERT at p<0.05."), ("", "It was.")),
        "Gut",
        ("Review",),
        ("Adult",),
        "2017-06-05",
    )
    assert citation.text == "Telomeres AIM: To see TERT at p<0.05. It was."
    assert skipped.count == 0 and skipped.describe() == ""


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("<Year>2001</Year>", "2001"),
        ("<Year>2001</Year><Month>07</Month>", "2001-07"),
        ("<Year>1990</Year><Season>Spring</Season>", "1990"),
        ("<Year>2001</Year><Month>7</Month><Day>1-15</Day>", "2001-07"),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "1998"),
        ("", ""),
    ],
)
def test_dates_as_far_as_they_are_known(tmp_path: Path, date: str, expected: str) -> None:
    (citation,), _ = read(tmp_path / "a.xml", pubmed(one(date=date)))
    assert citation.date == expected


def test_malformed_citations_are_counted_and_the_others_read(tmp_path: Path) -> None:
    text = pubmed(one("1"), one("2", title=""), one(""), one("4"), one("5", title=" "))
    citations, skipped = read(tmp_path / "a.xml.gz", gzip.compress(text.encode()))
    assert [each.pmid for each in citations] == ["1", "4"]
    assert skipped.reasons == {"no title": 2, "no PMID": 1}
    assert "2 with no title (first: PMID 2)" in skipped.describe() and "citation 3" in skipped.describe()


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_cut_off_is_named_with_what_was_read(tmp_path: Path, packed: bool) -> None:
    whole = pubmed(*(one(str(number)) for number in range(2000))).encode()
    data = gzip.compress(whole)[:-40] if packed else whole[:-400]
    path = tmp_path / ("a.xml.gz" if packed else "a.xml")
    path.write_bytes(data)
    seen: list[str] = []
    with pytest.raises(DataError, match=rf"^{path}: cut off .*after citation \d+ .*fetch it again$"):
        seen.extend(each.pmid for each in read_pubmed(path, Skipped(path)))
    assert len(seen) > 1000


@pytest.mark.parametrize("text", ["<html><body/></html>", "no xml", "", "\x1f\x8bnot gzip"])
def test_what_is_no_pubmed_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="a.xml"):
        read(tmp_path / "a.xml", text)
    with pytest.raises(DataError, match="a.xml.gz"):
        read(tmp_path / "a.xml.gz", text)
    with pytest.raises(DataError, match="No such file"):
        next(read_pubmed(tmp_path / "b.xml", Skipped(tmp_path)))


def test_entities_are_never_resolved(tmp_path: Path) -> None:
    """Neither a file of the machine nor a billion laughs may come in with a citation."""
    (tmp_path / "secret").write_text("TOP SECRET")
    head = f'<!DOCTYPE x [<!ENTITY s SYSTEM "{(tmp_path / "secret").as_uri()}"><!ENTITY l "laugh">]>'
    (citation,), _ = read(tmp_path / "a.xml", pubmed(one(title="Of &s; and &l;"), head=head))
    assert "SECRET" not in citation.text and "laugh" not in citation.text
