"""Read what the tools print, as a policy has to: titles, and lists of names under a label.

[1] Achondroplasia (OMIM:100800): Gene: FGFR3. Inheritance: Autosomal dominant.
"""

import re
from dataclasses import dataclass

_LINE = re.compile(r"^\[(\d+)\] (.+)$", re.MULTILINE)
_TITLE = re.compile(
    r"(?P<name>.+?) \((?P<mark>gene|finding|(?:OMIM|ORPHA|DECIPHER):\d+|web:[\w:]+)\)(?:: |$)(?P<body>.*)"
)
_LABEL = re.compile(
    r"(?:^|(?<= ))((?:More )?(?:Genes?|Diseases|Seen in(?: \d+ diseases, among them)?|A kind of|Organ system"
    r"|Inheritance|Onset|Absent|Also called|Also known as|In everyday words"
    r"|[A-Z][a-z]+(?: [a-z]+)* findings(?: \([\d-]+%\))?)): "
)
_DIAGNOSIS = re.compile(r"^1\. (.+?) \((?:OMIM|ORPHA|DECIPHER):\d+\)", re.MULTILINE)
_GAP = "…"


@dataclass(frozen=True, slots=True)
class Hit:
    """One result. `mark`: gene, finding, a catalogue id, or that of a general page. `lists`: label -> names."""

    name: str
    mark: str
    lists: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def title(self) -> str:
        return f"{self.name} ({self.mark})" if self.mark else self.name

    def listed(self, *labels: str) -> tuple[str, ...]:
        """Names under the first of `labels` that is there; () if none is."""
        return next((names for wanted in labels for label, names in self.lists if label == wanted), ())


def read_hits(observation: str) -> list[Hit]:
    """The numbered results of a search, best first."""
    return [_read_hit(line[2]) for line in _LINE.finditer(observation)]


def read_diagnosis(observation: str) -> str | None:
    """The likeliest disease of a differential, "1. Marfan syndrome (OMIM:154700) P=0.82; …"."""
    first = _DIAGNOSIS.search(observation)
    return first[1] if first else None


def _read_hit(line: str) -> Hit:
    titled = _TITLE.match(line)
    if titled:
        return Hit(titled["name"], titled["mark"], read_lists(titled["body"]))
    name, _, body = line.partition(": ")
    return Hit(name, "", read_lists(body))


def read_lists(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every "Label: a; b." in a text, in order. "…" stands among the names where some were left out.

    A last name that was cut inside ("Marf …") is left out too.
    """
    labels = list(_LABEL.finditer(text))
    found: list[tuple[str, tuple[str, ...]]] = []
    for position, label in enumerate(labels):
        end = labels[position + 1].start() if position + 1 < len(labels) else len(text)
        names = [name.strip() for name in text[label.end() : end].strip().removesuffix(".").split(";")]
        if len(names[-1]) > 1 and names[-1].endswith(_GAP):
            names[-1] = _GAP
        found.append((label[1], tuple(name for name in names if name)))
    return tuple(found)


def is_complete(names: tuple[str, ...]) -> bool:
    """Whether a list was shown whole."""
    return bool(names) and _GAP not in names
