"""Which entities are rare, and which of the rare ones mean something.

The paper takes entities with a corpus frequency below 1e-6 in 30 million abstracts. In a corpus of less than a million
documents the smallest frequency there can be is above that, so a percentile is used instead, within each kind of entity
(a gene is named more often than a finding). Which of the two it was and the denominator are printed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from envs.corpus import Document
from kisa.counting import Counts, count_batch
from kisa.graph import KnowledgeGraph
from kisa.mentions import Dictionary, Name
from kisa.names import tokens
from medrl.errors import DataError
from medrl.types import Entity

PAPER_THRESHOLD = 1e-6
#: In fewer documents than this, one document is more than `PAPER_THRESHOLD` of them.
_LARGE = 1_000_000
_IDENTIFIER = re.compile(r"(OMIM|ORPHA|DECIPHER|NCBIGene|HP):\d+")
_KINDS = ("disease", "gene", "phenotype")


@dataclass(frozen=True, slots=True)
class CorpusFrequency:
    """How many of `documents` name each entity, by entity id."""

    documents: int
    mentions: dict[str, int]

    @property
    def is_large(self) -> bool:
        """Whether the paper's threshold means something in so many documents."""
        return self.documents >= _LARGE

    def is_below_threshold(self, identifier: str) -> bool:
        """Whether fewer than 1e-6 of the documents name the entity."""
        return self.mentions[identifier] / self.documents < PAPER_THRESHOLD

    def describe(self, percentile: float) -> str:
        """One line for people: what `rare` means here."""
        if self.is_large:
            rare = sum(map(self.is_below_threshold, self.mentions))
            return (
                f"rare: named in fewer than {PAPER_THRESHOLD:.0e} of {self.documents:,} documents, as {rare:,} of "
                f"{len(self.mentions):,} entities are"
            )
        return (
            f"rare: at or below percentile {percentile:g} of corpus frequency within each kind; "
            f"{self.documents:,} documents, so the least frequency is {1 / max(self.documents, 1):.1e} "
            f"(the paper's {PAPER_THRESHOLD:.0e} needs {_LARGE:,} or more; it has 30M abstracts)"
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
    counts = count_batch(dictionary_of(graph).find, (document.text for document in corpus))
    return frequency_of(countable(graph), counts)


def countable(graph: KnowledgeGraph) -> list[str]:
    """Ids of the entities that documents are searched for."""
    return [entity.id for entity in graph.entities.values() if entity.kind in _KINDS]


def frequency_of(entities: Iterable[str], counts: Counts) -> CorpusFrequency:
    """The counts of `entities`, 0 for one that is never named."""
    return CorpusFrequency(
        counts.documents, {identifier: counts.mentions.get(identifier, 0) for identifier in entities}
    )


def rare_seeds(graph: KnowledgeGraph, frequency: CorpusFrequency, percentile: float) -> list[Entity]:
    """Rare entities that are clinically meaningful: below 1e-6 in a large corpus, else at or below `percentile` of
    corpus frequency within their kind. Raises DataError if other entities were counted than the graph's."""
    seeds: list[Entity] = []
    for kind in _KINDS:
        candidates = [each for each in graph.of_kind(kind) if is_meaningful(graph, each)]
        unknown = next((each.id for each in candidates if each.id not in frequency.mentions), None)
        if unknown is not None:
            raise DataError(f"knowledge.frequencies does not count {unknown}: run `medrl count` with this ontology")
        if frequency.is_large:
            seeds += [each for each in candidates if frequency.is_below_threshold(each.id)]
        elif candidates:
            counts = np.array([frequency.mentions[each.id] for each in candidates])
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
