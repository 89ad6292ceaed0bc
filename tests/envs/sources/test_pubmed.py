"""PubMed against a server that speaks as the E-utilities do; real citations where there are some."""

import asyncio
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from envs.corpus import Document
from envs.network.client import Network
from envs.sources.pubmed import PubMed
from medrl.errors import ConfigError, ToolOutage
from tests.envs.asking import ENDLESS, HASTY, KEY, PASSING, QUICK, VECTOR, at_once
from tests.misbehaving import Asked, Behaviour, MisbehavingServer, answers, raw, status

REAL = Path(__file__).parents[4] / "shared" / "data" / "pubmed_xml"

CITATION = """<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article>
<Journal><JournalIssue><PubDate><Year>2018</Year><Month>May</Month></PubDate></JournalIssue><Title>Gut</Title></Journal>
<ArticleTitle>{title}</ArticleTitle>
<Abstract><AbstractText Label="AIM">To see it. We did.</AbstractText><AbstractText>So there.</AbstractText></Abstract>
<PublicationTypeList><PublicationType UI="D1">Practice Guideline</PublicationType>
<PublicationType UI="D2">Review</PublicationType></PublicationTypeList></Article>
<MeshHeadingList><MeshHeading><DescriptorName>Asthma</DescriptorName></MeshHeading></MeshHeadingList>
</MedlineCitation></PubmedArticle>"""


def citations(*pmids: str, title: str = "Asthma", head: str = "") -> bytes:
    each = "".join(CITATION.format(pmid=pmid, title=escape(f"{title} {pmid}.")) for pmid in pmids)
    return f'<?xml version="1.0"?>{head}<PubmedArticleSet>{each}</PubmedArticleSet>'.encode()


def found(pmids: list[str], count: int | None = None) -> Behaviour:
    return answers({"header": {}, "esearchresult": {"count": str(count or len(pmids)), "idlist": pmids}})


class Library:
    """E-utilities over PMIDs that match any query, or only one with `word`; efetch brings them in another order."""

    def __init__(self, pmids: list[str], only: str = "") -> None:
        self._pmids = pmids
        self._only = only

    def __call__(self, asked: Asked) -> Behaviour:
        if asked.path.endswith("/esearch.fcgi"):
            matching = self._pmids if self._only in asked.body["term"] else []
            start, size = int(asked.body["retstart"]), int(asked.body["retmax"])
            return found(matching[start : start + size], len(matching))
        assert asked.path.endswith("/efetch.fcgi")
        return raw(citations(*sorted(asked.body["id"].split(","))))


def search(server: MisbehavingServer, query: str, k: int, **settings: object) -> list[Document]:
    source = PubMed(server.url, QUICK, sleep=at_once, **settings)  # type: ignore[arg-type]
    return [each.document for each in asyncio.run(source.candidates(query, VECTOR, k))]


def read(server: MisbehavingServer, id: str) -> Document | None:
    return asyncio.run(PubMed(server.url, QUICK, sleep=at_once).document(id))


def test_a_citation_becomes_a_document() -> None:
    with MisbehavingServer(Library(["7"])) as server:
        assert search(server, "asthma", 3) == [
            Document(
                "PMID:7",
                "Asthma 7",
                ("AIM: To see it.", "AIM: We did.", "So there.", "Topics: Asthma.", "Published in Gut, 2018-05."),
                "pubmed",
                "",
                ("PMID:7",),
                ("practice guideline", "review"),
                "Gut",
                "2018-05",
                "https://pubmed.ncbi.nlm.nih.gov/7/",
            )
        ]


def test_pages_are_asked_for_until_there_are_enough_and_the_order_is_that_of_the_search() -> None:
    pmids = [str(number) for number in range(40, 0, -1)]
    with MisbehavingServer(Library(pmids)) as server:
        documents = search(server, "asthma", 25, page=10)
    assert [each.id for each in documents] == [f"PMID:{pmid}" for pmid in pmids[:25]]
    pages = [(asked.body["retstart"], asked.body["retmax"]) for asked in server.requests if "term" in asked.body]
    assert pages == [("0", "10"), ("10", "10"), ("20", "5")]
    with MisbehavingServer(Library(pmids[:12])) as server:
        assert len(search(server, "asthma", 25, page=10)) == 12
        assert len(server.requests) == 4  # two pages of PMIDs, two of citations


def test_a_pmid_on_two_pages_comes_once() -> None:
    def shifting(asked: Asked) -> Behaviour:
        if "term" not in asked.body:
            return raw(citations(*asked.body["id"].split(",")))
        return found(["1", "2"] if asked.body["retstart"] == "0" else ["2", "3"], 9)

    with MisbehavingServer(shifting) as server:
        assert [each.id for each in search(server, "asthma", 4, page=2)] == ["PMID:1", "PMID:2", "PMID:3"]


def test_the_key_goes_into_the_form_and_never_into_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCBI_EMAIL", "a@example.org")
    with MisbehavingServer(Library(["7"])) as server:
        search(server, "asthma", 1)
        monkeypatch.delenv("NCBI_API_KEY")
        search(server, "asthma", 1)
    first, last = server.requests[0], server.requests[-1]
    assert first.target == "/v1/esearch.fcgi"
    assert {name: first.body[name] for name in ("db", "tool", "email", "api_key", "retmode", "sort")} == {
        "db": "pubmed",
        "tool": "medrl",
        "email": "a@example.org",
        "api_key": KEY,
        "retmode": "json",
        "sort": "relevance",
    }
    assert "api_key" not in last.body


@pytest.mark.parametrize(("variable", "per_second"), [("NCBI_API_KEY", 10.0), ("NO_KEY", 3.0)])
def test_the_rate_is_what_the_ncbi_allows(variable: str, per_second: float, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[object] = []

    class Noting(Network):
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            asked_for.append(settings["per_second"])
            super().__init__(*arguments, **settings)

    monkeypatch.delenv("NCBI_API_KEY")
    monkeypatch.setenv(variable, KEY)
    monkeypatch.setattr("envs.sources.pubmed.Network", Noting)
    PubMed("http://127.0.0.1:1", QUICK)
    assert asked_for == [per_second]


@pytest.mark.parametrize(
    ("query", "term"),
    [
        ("asthma in children", "asthma AND children"),
        ('asthma"[Title] OR 1=1) NOT (x', "asthma AND title AND 1 AND x"),
        ("a&api_key=evil&term=b #c", "api AND key AND evil AND term AND b AND c"),
        ("Sjögren 拡張型", "sjögren AND 拡張型"),
    ],
)
def test_a_query_gets_through_as_words_alone(query: str, term: str) -> None:
    with MisbehavingServer(Library(["7"])) as server:
        assert search(server, query, 1)
    assert server.requests[0].body["term"] == term and server.requests[0].body["api_key"] == KEY


def test_where_nothing_has_all_words_some_are_enough() -> None:
    with MisbehavingServer(Library(["7"], only=" OR ")) as server:
        assert len(search(server, "asthma xyzzy", 3)) == 1
        terms = [asked.body["term"] for asked in server.requests if "term" in asked.body]
        assert terms == ["asthma AND xyzzy", "asthma OR xyzzy"]


def test_nothing_found_is_an_empty_list_and_nothing_asked_no_request() -> None:
    with MisbehavingServer(Library([])) as server:
        assert search(server, "xyzzy", 3) == []
        assert len(server.requests) == 1
        assert search(server, "?! \ud800", 3) == []
        assert len(server.requests) == 1


def test_a_document_by_its_id() -> None:
    with MisbehavingServer(Library(["7"])) as server:
        document = read(server, "PMID:7")
        assert document is not None and document.title == "Asthma 7"
        asked = len(server.requests)
        for other in ("NCT00000001", "PMID:", "PMID:7,8", "PMID:7&x=1", "pmid:7", "PMID:٧", "PMID:0", "PMID:00000007"):
            assert read(server, other) is None
        assert len(server.requests) == asked
    with MisbehavingServer([raw(citations())]) as server:
        assert read(server, "PMID:9") is None
    with MisbehavingServer([raw(citations("8"))]) as server:
        assert read(server, "PMID:9") is None


@pytest.mark.parametrize(("behaviour", "reason"), PASSING, ids=[reason for _, reason in PASSING])
@pytest.mark.parametrize("at", ["esearch", "efetch"])
def test_what_may_pass_is_tried_again_and_then_an_outage(behaviour: Behaviour, reason: str, at: str) -> None:
    library = Library(["7"])

    def failing(asked: Asked) -> Behaviour:
        return behaviour if at in asked.path else library(asked)

    with MisbehavingServer(failing) as server:
        with pytest.raises(ToolOutage, match=rf"^PubMed: {reason}.*\(3 attempts\)$") as caught:
            search(server, "asthma", 1)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("behaviour", ENDLESS)
def test_a_deadline(behaviour: Behaviour) -> None:
    with MisbehavingServer([behaviour]) as server, pytest.raises(ToolOutage, match=r"^PubMed: no whole answer within"):
        asyncio.run(PubMed(server.url, HASTY, sleep=at_once).document("PMID:7"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (raw(b"<html>down</html>"), "no list of PMIDs"),
        (answers({"esearchresult": {"ERROR": "Search Backend failed"}}), r"no list of PMIDs \(esearchresult.count"),
        (answers({"esearchresult": {"count": "1", "idlist": ["7&x=1"]}}), r"no list of PMIDs \(esearchresult.idlist.0"),
        (answers({"error": "busy"}), "no list of PMIDs"),
    ],
    ids=["html", "error", "no PMID", "another"],
)
def test_what_is_no_list_of_pmids(answer: Behaviour, said: str) -> None:
    with MisbehavingServer([answer]) as server:
        with pytest.raises(ToolOutage, match=f"^PubMed: answered something that is {said}"):
            search(server, "asthma", 1)
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    "body",
    [citations("7")[:-30], b"<html/>", b"", b"{}", b"<eFetchResult><ERROR>no</ERROR></eFetchResult>", b"\x00\xff"],
    ids=["truncated", "html", "empty", "json", "error", "binary"],
)
def test_what_is_no_list_of_citations(body: bytes) -> None:
    with MisbehavingServer([raw(body)]) as server:
        with pytest.raises(ToolOutage, match="^PubMed: answered something that is no list of citations"):
            read(server, "PMID:7")
        assert len(server.requests) == 3


def test_entities_are_never_resolved(tmp_path: Path) -> None:
    """Neither a file of the machine nor a billion laughs comes in with a citation."""
    secret = tmp_path / "secret"
    secret.write_text("TOP SECRET")
    head = f'<!DOCTYPE x [<!ENTITY s SYSTEM "{secret.as_uri()}"><!ENTITY l "laugh">]>'
    body = citations("7", head=head).replace(b"To see it.", b"To see &s; and &l;.")
    with MisbehavingServer([raw(body)]) as server:
        document = read(server, "PMID:7")
    assert document is not None and "SECRET" not in document.text and "laugh" not in document.text
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    bomb = citations("7", head=f'<!DOCTYPE x [<!ENTITY l0 "laugh">{laughs}]>')
    for place in (b"To see it.", b'"AIM"'):
        body = bomb.replace(place, place.replace(b"To see it.", b"&l8;").replace(b"AIM", b"&l8;"))
        with MisbehavingServer([raw(body)]) as server, pytest.raises(ToolOutage, match="no list of citations"):
            read(server, "PMID:7")


@pytest.mark.parametrize(
    ("behaviour", "error", "said"),
    [
        (status(400, f'{{"error":"API key invalid","api-key":"{KEY}"}}'), ConfigError, "right key into NCBI_API_KEY"),
        (status(400, "cannot be"), ToolOutage, "HTTP status 400, 'cannot be'"),
        (status(401, KEY), ConfigError, "mend knowledge.addresses.pubmed or NCBI_API_KEY"),
        (status(404, "no such page"), ConfigError, "mend knowledge.addresses.pubmed"),
        (status(302, Location="http://127.0.0.1:1/"), ConfigError, "HTTP status 302"),
    ],
    ids=["key", "refused", "unauthorised", "elsewhere", "redirect"],
)
def test_refusals(behaviour: Behaviour, error: type[Exception], said: str) -> None:
    with MisbehavingServer([behaviour]) as server:
        with pytest.raises(error, match=said) as caught:
            search(server, "asthma", 1)
        assert len(server.requests) == 1 and KEY not in str(caught.value)


def test_a_key_that_can_be_none_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCBI_API_KEY", f"{KEY}\n")
    with pytest.raises(ConfigError, match="^NCBI_API_KEY in the environment holds a blank") as caught:
        PubMed("http://127.0.0.1:1", QUICK)
    assert KEY not in str(caught.value)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real citations are not here")
@pytest.mark.parametrize(
    ("file", "pmid", "journal", "date", "kind", "sentence"),
    [
        (
            "pubmed-29768149",
            "29768149",
            "The New England journal of medicine",
            "2018-05-17",
            "randomized controlled trial",
            "METHODS: We conducted a 52-week, double-blind trial involving patients 12 years of age or older with mild "
            "asthma.",
        ),
        ("pubmed4", "27797938", "Gut", "2017-06", "journal article", "CONCLUSIONS: Prediagnostic leucocyte telomere"),
        ("pubmed1", "12091962", "Social justice (San Francisco, Calif.)", "1990", "review", "Topics: AIDS Serodiag"),
        ("pubmed1", "9997", "Biochimica et biophysica acta", "1976-09-28", "journal article", "The results show that"),
        ("pubmed2", "11748933", "Cryobiology", "2001-06", "journal article", "This study subdivides the cryopres"),
        ("pubmed2", "11700088", "Journal of magnetic resonance (San Diego, Calif. : 1997)", "2001-11", "", "Here a"),
    ],
)
def test_real_citations(file: str, pmid: str, journal: str, date: str, kind: str, sentence: str) -> None:
    with MisbehavingServer([raw((REAL / f"{file}.xml").read_bytes())]) as server:
        document = read(server, f"PMID:{pmid}")
    assert document is not None and document.id == f"PMID:{pmid}" and document.references == (f"PMID:{pmid}",)
    assert (document.journal, document.date) == (journal, date)
    assert kind in (*document.kinds, "") and any(each.startswith(sentence) for each in document.sections)
    assert all(len(each) < 1100 for each in document.sections)
