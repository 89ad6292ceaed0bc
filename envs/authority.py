"""Auth(d) of Score = λ·Rel + (1 − λ)·Auth: how much clinical weight a document's evidence carries.

Two facts are known of each document: the best evidence code behind its statements, and the resource it comes from.
Each lowers Auth from 1 by a little. The table is flat on purpose: at λ = 0.4 a difference of 0.1 in Auth outweighs 0.15
of relevance, and a document about something else must not win because it is well supported.
"""

from envs.corpus import Document

#: Taken from 1 for the evidence code: a published clinical study, a traceable author statement, electronic inference.
EVIDENCE_PENALTY = {"PCS": 0.0, "TAS": 0.02, "IEA": 0.04, "": 0.04}

#: Taken from 1 for the source: curated catalogues, then the ontology's pages and gene records, then the web.
SOURCE_PENALTY = {
    "omim": 0.0,
    "orphanet": 0.0,
    "hpo": 0.01,
    "ncbi_gene": 0.01,
    "decipher": 0.02,
    "web": 0.10,
}

#: For codes and sources that the tables do not name: as the lowest that they do.
_UNKNOWN_EVIDENCE = max(EVIDENCE_PENALTY.values())
_UNKNOWN_SOURCE = max(SOURCE_PENALTY.values())


def authority(document: Document) -> float:
    """Auth in [0, 1]; 1.0 is a clinical study in OMIM or Orphanet."""
    evidence = EVIDENCE_PENALTY.get(document.evidence, _UNKNOWN_EVIDENCE)
    source = SOURCE_PENALTY.get(document.source, _UNKNOWN_SOURCE)
    return 1.0 - evidence - source
