"""What is read of a page, a record, a PDF and plain text that mean well."""

import pytest

from envs.reading.html import read_html
from envs.reading.kinds import kind_of
from envs.reading.pdf import read_pdf
from envs.reading.pieces import Piece
from envs.reading.plain import decode, read_plain
from envs.reading.pubmed_xml import read_xml
from tests.envs.hostile_documents import CATALOG, FONT, GOOD_PDF, SHEET, pdf, written

PAGE = """<!doctype html><html><head><title>Marfan syndrome - Reference</title><style>p{}</style></head><body>
<header><nav><a href=/>Home</a> <a href=/a>Conditions</a></nav></header>
<main><h1>Marfan syndrome</h1><p>A disorder of <b>connective</b> tissue.<br>It is <i>rare</i>.</p>
<h2>Causes</h2><p>Mutations in <a href=/fbn1><i>FBN1</i></a> cause it.</p><ul><li>Fibrillin<li>TGF-&beta;</ul>
<h2>Frequency</h2><table><tr><th>Sign</th><th>Share</th></tr><tr><td>Ectopia lentis</td><td>60&nbsp;%</td></tr></table>
<script>evil()</script><p hidden>evil</p><p><a href=1>Next</a> | <a href=2>Previous page</a></p></main>
<aside>Subscribe</aside><footer>Imprint</footer></body></html>"""


def test_a_web_page() -> None:
    found = read_html(PAGE)
    assert found.title == "Marfan syndrome - Reference"
    assert list(found.pieces) == [
        Piece("Marfan syndrome", "A disorder of connective tissue."),
        Piece("Marfan syndrome", "It is rare."),
        Piece("Causes", "Mutations in FBN1 cause it."),
        Piece("Causes", "Fibrillin"),
        Piece("Causes", "TGF-β"),
        Piece("Frequency", "Sign Share"),
        Piece("Frequency", "Ectopia lentis 60 %"),
    ]


def test_a_page_without_a_main_part_is_read_whole() -> None:
    article = "<article>Teaser</article>" + "<p>The whole story is told here, at length.</p>" * 3
    assert [piece.text for piece in read_html(article).pieces][1:] == ["The whole story is told here, at length."] * 3


def test_a_pubmed_record() -> None:
    body = b"""<?xml version="1.0"?><!DOCTYPE PubmedArticleSet PUBLIC "x" "https://dtd.nlm.nih.gov/x.dtd">
<PubmedArticleSet><PubmedArticle><ArticleTitle>FBN1 in <i>Marfan</i> syndrome.</ArticleTitle><Abstract>
<AbstractText Label="BACKGROUND">Rare &amp; inherited.</AbstractText><AbstractText>Plain <sup>2</sup>.</AbstractText>
</Abstract><MeshHeading><DescriptorName>Fibrillin-1</DescriptorName></MeshHeading></PubmedArticle></PubmedArticleSet>"""
    found = read_xml(body)
    assert found.title == "FBN1 in Marfan syndrome."
    assert list(found.pieces) == [
        Piece("Background", "Rare & inherited."),
        Piece("Abstract", "Plain 2."),
        Piece("Subjects", "Fibrillin-1."),
    ]


@pytest.mark.parametrize("namespace", ["", ' xmlns="https://jats.nlm.nih.gov/ns/archiving/1.3/"'])
def test_a_full_text_of_pmc(namespace: str) -> None:
    body = f"""<article{namespace}><front><journal-title>J</journal-title><article-title>On lenses</article-title>
<abstract><p>Short.</p></abstract></front><body><sec><title>Methods</title><p>We looked<xref>1</xref> at <b>ten</b>.</p>
</sec></body><back><ref-list><title>References</title><ref>Other work</ref></ref-list></back></article>"""
    found = read_xml(body.encode())
    assert found.title == "On lenses"
    assert list(found.pieces) == [Piece("", "Short."), Piece("Methods", "We looked at ten.")]


def test_a_pdf_and_its_limit_of_sheets() -> None:
    found = read_pdf(GOOD_PDF, 5)
    assert found.title == "Marfan syndrome is caused by FBN1." and [p.text for p in found.pieces] == [found.title]
    two = pdf(
        CATALOG,
        b"<</Type/Pages/Kids[3 0 R 6 0 R]/Count 2>>",
        SHEET,
        written("One."),
        FONT,
        SHEET.replace(b"4 0", b"7 0"),
        written("Two."),
    )
    assert [piece.text for piece in read_pdf(two, 2).pieces] == ["One.", "Two."]
    assert [piece.text for piece in read_pdf(two, 1).pieces] == ["One."]
    with pytest.raises(ValueError, match="cannot be opened"):
        read_pdf(b"%PDF-1.7", 5)


def test_plain_text_in_paragraphs() -> None:
    found = read_plain("Title\nline\n \t\nSecond\n")
    assert found.title == "Title" and [piece.text for piece in found.pieces] == ["Title\nline", "Second\n"]


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ("Sjögren".encode(), ""),
        ("Sjögren".encode("latin-1"), "iso-8859-1"),
        ("Sjögren".encode("utf-16"), "utf-8"),
        ("\ufeffSjögren".encode(), ""),
        (b"<meta charset='latin-1'>" + "Sjögren".encode("latin-1"), ""),
        ("Sjögren".encode(), "zlib_codec"),
        ("Sjögren".encode(), "no-such"),
        ("é".encode()[:-1] + "Größe, Sjögren".encode(), ""),
        (b"by E. Sj" + "ögren and others, of the year in Sjögren".encode("latin-1"), ""),
    ],
)
def test_encodings(body: bytes, charset: str) -> None:
    assert decode(body, charset).endswith("Sjögren")


def test_an_encoding_is_guessed_where_nobody_names_it() -> None:
    text = "Синдром Марфана — наследственное заболевание соединительной ткани, вызванное мутациями гена. " * 5
    assert decode(text.encode("cp1251"), "") == text


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b"%PDF-1.7", "text/html", "pdf"),
        (b"junk %PDF-1.7", "application/pdf", "pdf"),
        (b"<p>x", "application/pdf", None),
        (b"\n<!DOCTYPE HTML>", "text/plain", "html"),
        (b"<?xml version='1.0'?><a/>", "", "xml"),
        (b"<?xml version='1.0'?><html xmlns='x'/>", "application/xml", "html"),
        (b"<a/>", "application/rss+xml", "xml"),
        (b'{"a": 1}', "application/json", "plain"),
        (b"text", "", "plain"),
        (b"<p>x", "", "html"),
        (b"\x89PNG\0\0\0\0", "text/html", None),
        ("text".encode("utf-16"), "text/plain", "plain"),
    ],
)
def test_what_a_body_is(body: bytes, content_type: str, kind: str | None) -> None:
    assert kind_of(body, content_type) == kind
