"""Auth(d) of Score = λ·Rel + (1 − λ)·Auth: how much clinical weight a document's evidence carries.

Auth starts at 1 and loses by what the document is:

- its source: curated catalogues and labels that an authority approved, then registries and gene records, then the web;
- its strength: the evidence code behind its statements or what kind of publication or trial it is, whichever is better;
- its caveats: withdrawn, retracted or not yet reviewed, whatever else it is;
- its journal, where `knowledge.journals` names a table of impacts and the document a journal.

The tables are flat on purpose: at λ = 0.4 a difference of 0.1 in Auth outweighs 0.15 of relevance, and a document about
something else must not win because it is well supported. Caveats are not flat: a retracted article must not win at all.
"""

from dataclasses import dataclass

from envs.corpus import Document
from envs.retrieval.journals import Journals

#: Lost for the source.
SOURCE_PENALTY = {
    "omim": 0.0,
    "orphanet": 0.0,
    "openfda": 0.0,
    "hpo": 0.01,
    "ncbi_gene": 0.01,
    "orange_book": 0.01,
    "pubmed": 0.01,
    "clinicaltrials": 0.02,
    "decipher": 0.02,
    "web": 0.10,
}

#: Lost for the evidence code: a published clinical study, a traceable author statement, electronic inference.
EVIDENCE_PENALTY = {"PCS": 0.0, "TAS": 0.02, "IEA": 0.04}

#: Lost for what a document is: publication types of MeSH by the usual pyramid of evidence, states of a trial, labels.
KIND_PENALTY = {
    "practice guideline": 0.0,
    "guideline": 0.0,
    "label": 0.0,
    "consensus development conference": 0.01,
    "consensus development conference, nih": 0.01,
    "consensus statement": 0.01,
    "meta-analysis": 0.01,
    "network meta-analysis": 0.01,
    "systematic review": 0.01,
    "randomized controlled trial": 0.02,
    "pragmatic clinical trial": 0.02,
    "equivalence trial": 0.02,
    "completed": 0.02,
    "controlled clinical trial": 0.03,
    "clinical trial, phase iv": 0.03,
    "clinical trial, phase iii": 0.03,
    "clinical trial, phase ii": 0.03,
    "clinical trial, phase i": 0.03,
    "clinical trial": 0.03,
    "clinical study": 0.03,
    "observational study": 0.03,
    "multicenter study": 0.03,
    "validation study": 0.03,
    "review": 0.04,
    "scoping review": 0.04,
    "active not recruiting": 0.04,
    "recruiting": 0.05,
    "enrolling by invitation": 0.05,
    "case reports": 0.06,
    "not yet recruiting": 0.06,
    "terminated": 0.06,
    "suspended": 0.06,
    "unknown status": 0.06,
    "letter": 0.08,
    "comment": 0.08,
    "editorial": 0.08,
    "news": 0.08,
    "newspaper article": 0.08,
}

#: Lost on top of all else.
CAVEAT_PENALTY = {
    "preprint": 0.10,
    "withdrawn": 0.10,
    "expression of concern": 0.40,
    "retracted publication": 0.95,
    "retraction of publication": 0.95,
    "retraction notice": 0.95,
}

#: Lost by an article in a journal without any impact; one of the highest loses nothing.
JOURNAL_PENALTY = 0.03

#: For sources that the table does not name: as the lowest that it does. Where neither code nor kind says anything, a
#: document is as strong as one by electronic inference.
_UNKNOWN_SOURCE = max(SOURCE_PENALTY.values())
_UNKNOWN_STRENGTH = max(EVIDENCE_PENALTY.values())


@dataclass(frozen=True, slots=True)
class Part:
    """Something that Auth lost by, or might have. `of`: strength, source, caveat or journal; `found`: what the document
    says there, "" if nothing that is known; `penalty` in [0, 1].
    """

    of: str
    found: str
    penalty: float

    def __str__(self) -> str:
        return f"{self.of} {self.found or 'unknown'} −{self.penalty:.3g}"


def parts(document: Document, journals: Journals | None = None) -> tuple[Part, ...]:
    """What Auth is made of: strength and source always, caveats and the journal where there are any."""
    source = document.source if document.source in SOURCE_PENALTY else ""
    found = [_strength(document), Part("source", source, SOURCE_PENALTY.get(source, _UNKNOWN_SOURCE))]
    found += [Part("caveat", kind, CAVEAT_PENALTY[kind]) for kind in document.kinds if kind in CAVEAT_PENALTY]
    if journals is not None and document.journal:
        lost = JOURNAL_PENALTY * (1.0 - journals.standing(document.journal))
        found.append(Part("journal", document.journal, lost))
    return tuple(found)


def authority(document: Document, journals: Journals | None = None) -> float:
    """Auth in [0, 1]; 1.0 is a clinical study in OMIM or Orphanet, or a label that the FDA approved."""
    return total(parts(document, journals))


def total(lost: tuple[Part, ...]) -> float:
    """1 without all penalties, at least 0."""
    left = 1.0
    for part in lost:
        left -= part.penalty
    return max(0.0, left)


def _strength(document: Document) -> Part:
    """The better of the evidence code and the kinds; nothing known counts as the weakest code."""
    known = [(EVIDENCE_PENALTY[code], code) for code in (document.evidence,) if code in EVIDENCE_PENALTY]
    known += [(KIND_PENALTY[kind], kind) for kind in document.kinds if kind in KIND_PENALTY]
    penalty, found = min(known, default=(_UNKNOWN_STRENGTH, ""))
    return Part("strength", found, penalty)
