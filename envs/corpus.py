"""The documents behind the retriever, as kisa writes them and the tools read them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Document:
    """One document. `sections` are short self-contained sentences, the units that a snippet is cut from.

    `source`: where it is from: omim, orphanet, decipher, hpo, ncbi_gene, pubmed, openfda, clinicaltrials, orange_book
    or web. `evidence`: the best evidence code behind its statements (PCS published clinical study, TAS traceable author
    statement, IEA inferred electronically) or "" where none is given. `references`: PMIDs and the like. `kinds`: what
    it is, in small letters: publication types as MeSH names them ("practice guideline"), a trial's status, "label".
    `journal`: its title, `date`: as much of YYYY-MM-DD as is known, `url`: where people find it; "" where unknown.
    """

    id: str
    title: str
    sections: tuple[str, ...]
    source: str = ""
    evidence: str = ""
    references: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    journal: str = ""
    date: str = ""
    url: str = ""

    @property
    def text(self) -> str:
        return " ".join((self.title + ".", *self.sections))


@dataclass(frozen=True, slots=True)
class DiseaseProfile:
    """A disease as the reasoning engine needs it: P(finding | disease) with the source of each figure.

    `findings`: phenotype id -> (probability in (0, 1], where it comes from, e.g. "PMID:123 3/7" or
    "HP:0040282 frequent"). `prior`: relative prevalence weight, 1.0 where nothing is known; `prevalence`: the class it
    is from, "" where there is none. `absent`: phenotype id -> (how many patients without it were counted, 0 where
    nobody says; where it comes from). `only_in`: phenotype id -> "male" or "female", where it is annotated in one.
    """

    id: str
    name: str
    findings: dict[str, tuple[float, str]]
    inheritance: tuple[str, ...] = ()
    onset: tuple[str, ...] = ()
    prior: float = 1.0
    absent: dict[str, tuple[int, str]] = field(default_factory=dict)
    only_in: dict[str, str] = field(default_factory=dict)
    prevalence: str = ""


@dataclass(frozen=True, slots=True)
class FindingName:
    """A phenotype's names, so that a finding may be given in words. One line of findings.jsonl for each phenotype.

    `id`: the phenotype id used as key in `DiseaseProfile.findings`; `name`: its preferred name; `synonyms`: exact and
    lay synonyms only (broader or narrower ones would name a different finding); `parents`: ids of the phenotypes one
    step broader, each of which has a line of its own.
    """

    id: str
    name: str
    synonyms: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
