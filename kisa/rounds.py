"""What was made so far, round by round, so that an interrupted synthesis goes on where it stopped.

{"key": "…"}                                     whose rounds these are
{"made": [{"question": …, "rollout": …}, …]}     one line a round, also an empty one
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kisa.workshop import Made
from medrl.config import Config
from medrl.journal import Journal
from medrl.sections.endpoint import ASKING
from medrl.types import Entity
from medrl.versions import source_digest


@dataclass(frozen=True, slots=True)
class Round:
    """What one round made, in the order of its tasks, those that gave nothing left out."""

    made: tuple[Made, ...]


#: Settings that the rounds do not depend on.
_LATER = set(
    "workers benchmarks closed_book_sample significance wording teacher solvers policy_solves solver_samples too_easy "
    "regenerations".split()
)
#: Where things are, whose content counts otherwise, and how services are asked.
_ELSEWHERE: Any = {
    **dict.fromkeys(("cache", "ontology", "frequencies", "network"), True),
    "recording": {"mode", "path", "most_mb"},
    "reader": ASKING,
}


def key_of(config: Config, knowledge: Path, seeds: Sequence[Entity] = ()) -> str:
    """A hash of all settings and code that the questions depend on, the number of processes not among them."""
    sections = {
        "sources": source_digest("kisa", "envs", "medrl"),
        "kisa": config.kisa.model_dump(exclude={*_LATER, "tool_choice"}),
        "seeds": [seed.id for seed in seeds],
        "env": config.env.model_dump(),
        "knowledge": config.knowledge.model_dump(exclude=_ELSEWHERE),
        "frequencies": _content(config.knowledge.frequencies),
        "tool_choice": _content(config.kisa.tool_choice),
        "model": config.model.model_dump(),
        "seed": config.seed,
        "folder": knowledge.name,
    }
    return hashlib.blake2b(json.dumps(sections, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()


def _content(path: str | None) -> str | None:
    return path and hashlib.blake2b(Path(path).expanduser().read_bytes(), digest_size=8).hexdigest()


class RoundLog(Journal[Round]):
    """The rounds of one synthesis, on disk."""

    def __init__(self, path: Path, key: str) -> None:
        super().__init__(path, key, Round)

    def rounds(self) -> Iterator[Round]:
        """The rounds that were finished before, in order."""
        return self.records()
