"""Which entities does a text name, and where? One interface for the dictionary and for a language model.

The dictionary knows preferred names, synonyms and everyday words, of diseases, findings and genes of the graph and of
whatever else is given, drugs for example; it follows abbreviations that the text itself explains.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from kisa.graph import KnowledgeGraph
from kisa.mentions import Dictionary, Found, Name, abbreviations
from kisa.names import content, natural_order

#: Names of fewer letters than this are words or abbreviations of many things ("Air", "MS"), genes apart.
_SHORTEST = 4


class Extractor(Protocol):
    """Finds entities in text."""

    def extract(self, text: str) -> list[Found]:
        """What is named, in order of its place, without overlaps."""


class DictionaryExtractor:
    """The longest known name at each place, and the abbreviations that the text explains."""

    def __init__(self, names: Iterable[Name]) -> None:
        self._dictionary = Dictionary(names)

    def extract(self, text: str) -> list[Found]:
        """See `Extractor`. An abbreviation that the text explains somewhere counts wherever it stands."""
        found = list(self._dictionary.find(text))
        taken = [(each.start, each.end) for each in found]
        explained = abbreviations(text)
        for short in sorted(explained, key=len, reverse=True):
            owner = next((each for each in found if each.end == explained[short][1]), None)  # all of it, or its end
            if owner is None:
                continue
            for place in re.finditer(rf"(?<![A-Za-z0-9]){re.escape(short)}(?![A-Za-z0-9])", text):
                if all(place.end() <= begun or ended <= place.start() for begun, ended in taken):
                    taken.append(place.span())
                    found.append(Found(*place.span(), owner.entities))
        return sorted(found, key=lambda each: each.start)


def graph_names(graph: KnowledgeGraph) -> Iterator[Name]:
    """Every name of the graph's diseases, findings and genes."""
    for entity in graph.entities.values():
        if entity.kind == "gene":
            yield Name(entity.name, entity.id, exact=True)
        elif entity.kind in ("disease", "phenotype"):
            facts = graph.facts[entity.id]
            everyday = [name for name in (facts.term.lay if facts.term else ()) if " " in name]  # "fall" is a verb
            for name in dict.fromkeys((entity.name, *facts.aliases, *everyday)):
                if content(name):
                    yield from (form for form in _forms(name, entity.id) if len(form.text) >= _SHORTEST)


def _forms(name: str, entity: str) -> Iterator[Name]:
    """A name, the way it is spoken if it is inverted, and its last word in the other number."""
    for form in dict.fromkeys((name, natural_order(name))):
        yield Name(form, entity)
        yield Name(form[:-1] if form.endswith("s") and not form.endswith(("ss", "is", "us")) else f"{form}s", entity)
