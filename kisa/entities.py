"""Which entities are rare, and which of the rare ones mean something.

The paper takes entities with a corpus frequency below 1e-6 in 30 million abstracts. In a corpus of some tens of
thousands of documents the smallest frequency there can be is above that, so a percentile is used instead, within each
kind of entity (a gene is named more often than a finding), and the denominator is printed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from envs.corpus import Document
from kisa.graph import KnowledgeGraph
from kisa.mentions import Dictionary, Name
from kisa.names import tokens
from medrl.types import Entity

PAPER_THRESHOLD = 1e-6
_IDENTIFIER = re.compile(r"(OMIM|ORPHA|DECIPHER|NCBIGene|HP):\d+")
_KINDS = ("disease", "gene", "phenotype")


@dataclass(frozen=True, slots=True)
class CorpusFrequency:
    """How many of `documents` name each entity, by entity id."""

    documents: int
    mentions: dict[str, int]

    def describe(self, percentile: float) -> str:
        """One line for people: what `rare` means here."""
        return (
            f"rare: at or below percentile {percentile:g} of corpus frequency within each kind; "
            f"{self.documents:,} documents, so the least frequency is {1 / max(self.documents, 1):.1e} "
            f"(the paper's {PAPER_THRESHOLD:.0e} needs 30M abstracts)"
        )


def dictionary_of(graph: KnowledgeGraph) -> Dictionary:
    """The preferred names of the graph's diseases, findings and genes, genes by exact case."""
    return Dictionary(
        Name(entity.name, entity.id, exact=entity.kind == "gene")
        for entity in graph.entities.values()
        if entity.kind in _KINDS
    )


def count_mentions(graph: KnowledgeGraph, corpus: Iterable[Document]) -> CorpusFrequency:
    """In how many documents each entity is named: the longest name at each place."""
    mentions = {entity.id: 0 for entity in graph.entities.values() if entity.kind in _KINDS}
    dictionary = dictionary_of(graph)
    documents = 0
    for document in corpus:
        documents += 1
        for identifier in {each for found in dictionary.find(document.text) for each in found.entities}:
            mentions[identifier] += 1
    return CorpusFrequency(documents, mentions)


def rare_seeds(graph: KnowledgeGraph, frequency: CorpusFrequency, percentile: float) -> list[Entity]:
    """Entities at or below `percentile` of corpus frequency within their kind that are clinically meaningful."""
    seeds: list[Entity] = []
    for kind in _KINDS:
        candidates = [each for each in graph.of_kind(kind) if is_meaningful(graph, each)]
        counts = np.array([frequency.mentions.get(each.id, 0) for each in candidates])
        if len(counts):
            threshold = np.percentile(counts, percentile, method="lower")
            seeds += [each for each, count in zip(candidates, counts, strict=True) if count <= threshold]
    return seeds


def is_meaningful(graph: KnowledgeGraph, entity: Entity) -> bool:
    """Rare is not enough: the identifier must be a catalogue's, and the entity annotated and cited.

    This rule keeps typing errors and bare ontology classes out; a finding must also sit in an organ system.
    """
    if not _IDENTIFIER.fullmatch(entity.id) or not tokens(entity.name):
        return False
    predicate = {"disease": "has_finding", "gene": "causes", "phenotype": "presents_in"}[entity.kind]
    cited = any(relation.provenance.get("reference") for relation in graph.out(entity, predicate))
    return cited and (entity.kind != "phenotype" or bool(graph.facts[entity.id].systems))
