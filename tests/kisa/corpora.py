"""Small corpora on the disk, in each format that is counted."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from envs.corpus import Document
from kisa.mentions import Name
from medrl.records import write_jsonl

NAMES = [
    Name("Marfan syndrome", "marfan"),
    Name("MFS1", "marfan"),
    Name("FBN1", "gene", exact=True),
    Name("ectopia lentis", "lens"),
]
WORDS = ("marfan", "syndrome", "FBN1", "fbn1", "MFS1", "Ectopia", "lentis", "of", "the", "p<0.05")


def write_pubmed(path: Path, texts: Sequence[str]) -> Path:
    """One citation a text, which is its title. Gzipped if the name says so."""
    citations = (
        f"<PubmedArticle><MedlineCitation><PMID>{number}</PMID><Article><ArticleTitle>{escape(text)}</ArticleTitle>"
        "</Article></MedlineCitation></PubmedArticle>\n"
        for number, text in enumerate(texts, start=1)
    )
    data = f"<PubmedArticleSet>{''.join(citations)}</PubmedArticleSet>".encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_pubtator(path: Path, texts: Sequence[str]) -> Path:
    """One article a text, half title, half abstract."""
    halves = ((text[: len(text) // 2], text[len(text) // 2 :]) for text in texts)
    path.write_text("".join(f"{n}|t|{a}\n{n}|a|{b}\n\n" for n, (a, b) in enumerate(halves, start=1)))
    return path


def write_documents(path: Path, texts: Sequence[str]) -> Path:
    """One document a text, as kisa writes them."""
    write_jsonl(path, (Document(str(n), text, (), "web", "") for n, text in enumerate(texts)))
    return path
