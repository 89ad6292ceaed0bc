"""Counts over documents, and their sum: which entities are named in how many of them.

Adding is associative and commutative, so documents may be counted in any order, in any number of places.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from kisa.mentions import Found

#: What is named in a text: `Dictionary.find` or `Extractor.extract`.
Find = Callable[[str], Iterable[Found]]


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted in some documents, `characters` long together.

    `mentions`: how many of the documents name an entity, by its id. `skipped`: records that are no document because
    they are malformed, by reason. Neither holds zeros.
    """

    documents: int = 0
    characters: int = 0
    mentions: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.documents + other.documents,
            self.characters + other.characters,
            Counter(self.mentions) + Counter(other.mentions),
            Counter(self.skipped) + Counter(other.skipped),
        )


def count_batch(find: Find, texts: Iterable[str]) -> Counts:
    """Count one document after the other; none of them is kept."""
    documents = characters = 0
    mentions: Counter[str] = Counter()
    for text in texts:
        documents += 1
        characters += len(text)
        mentions.update({entity for found in find(text) for entity in found.entities})
    return Counts(documents, characters, mentions)
