"""A small dump of PubMed: files as the yearly baseline has them, with abstracts about diseases of the ontology."""

import gzip
from collections import defaultdict
from pathlib import Path
from xml.sax.saxutils import escape

from kisa.sources.hpo import Ontology, locate, read_ontology

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January '
    '2026//EN" "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_260101.dtd">\n<PubmedArticleSet>\n'
)
KNOWN = "OMIM:154700"
"""Marfan syndrome, which every dump names."""


def write_dump(folder: Path, citations: int, files: int) -> list[Path]:
    """So many citations, spread over so many .xml.gz files in `folder`, each about one disease: in its title and
    abstract the disease, findings of it and, where one is known, its gene. The same every time."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = _abstracts(read_ontology(locate("hpo")), citations)
    paths = []
    for number in range(files):
        part = list(enumerate(texts, start=1))[number::files]
        body = "".join(_citation(pmid, title, abstract) for pmid, (title, abstract) in part)
        path = folder / f"pubmed26n{number + 1:04d}.xml.gz"
        path.write_bytes(gzip.compress(f"{_HEAD}{body}</PubmedArticleSet>\n".encode(), mtime=0))
        paths.append(path)
    return paths


def _abstracts(ontology: Ontology, count: int) -> list[tuple[str, str]]:
    findings, names = defaultdict[str, list[str]](list), dict[str, str]()
    for annotation in ontology.annotations:
        if not annotation.negated and annotation.term in ontology.terms:
            findings[annotation.disease].append(ontology.terms[annotation.term].name)
            names[annotation.disease] = annotation.disease_name
    genes = {disease: ontology.genes[gene] for gene, disease in ontology.links if gene in ontology.genes}
    told = sorted(disease for disease in findings if len(findings[disease]) >= 3 and disease != KNOWN)
    chosen = [KNOWN, *told[:: max(len(told) // count, 1)]][:count]
    return [_abstract(names[each], findings[each], genes.get(each)) for each in chosen]


def _abstract(disease: str, findings: list[str], gene: str | None) -> tuple[str, str]:
    first, *others = findings[:4]
    cause = f" Sequencing found a variant of {gene} in all of them." if gene else ""
    return (
        f"{disease}: a report of three families",
        f"Patients with {disease} presented with {first}. {' and '.join(others)} were seen as well.{cause}",
    )


def _citation(pmid: int, title: str, abstract: str) -> str:
    return (
        f'<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">{pmid}</PMID><Article>'
        "<Journal><JournalIssue><PubDate><Year>2021</Year></PubDate></JournalIssue><Title>Journal of Tests</Title>"
        f"</Journal><ArticleTitle>{escape(title)}.</ArticleTitle>"
        f"<Abstract><AbstractText>{escape(abstract)}</AbstractText></Abstract>"
        "<PublicationTypeList><PublicationType>Case Reports</PublicationType></PublicationTypeList>"
        "</Article></MedlineCitation></PubmedArticle>\n"
    )
