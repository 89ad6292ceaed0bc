"""What was made so far, round by round, so that an interrupted synthesis goes on where it stopped.

{"key": "…"}                                     whose rounds these are
{"made": [{"question": …, "rollout": …}, …]}     one line a round, also an empty one
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

import envs
import kisa
import medrl
from kisa.workshop import Made
from medrl.config import Config
from medrl.records import whole_lines


@dataclass(frozen=True, slots=True)
class Round:
    """What one round made, in the order of its tasks, those that gave nothing left out."""

    made: tuple[Made, ...]


_ROUND = TypeAdapter(Round)
#: Settings that the rounds do not depend on.
_LATER = set("workers benchmarks wording teacher solvers policy_solves solver_samples too_easy regenerations".split())


def key_of(config: Config, knowledge: Path) -> str:
    """A hash of all settings and code that the questions depend on, the number of processes not among them."""
    sections = {
        "sources": _sources(),
        "kisa": config.kisa.model_dump(exclude=_LATER),
        "env": config.env.model_dump(),
        "knowledge": config.knowledge.model_dump(exclude={"cache", "ontology"}),
        "model": config.model.model_dump(),
        "seed": config.seed,
        "folder": knowledge.name,
    }
    return hashlib.blake2b(json.dumps(sections, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()


def _sources() -> str:
    """A hash of the code that makes questions: what was made by other code is not gone on with."""
    digest = hashlib.blake2b(digest_size=8)
    for package in (kisa, envs, medrl):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


class RoundLog:
    """The rounds of one synthesis, on disk."""

    def __init__(self, path: Path, key: str) -> None:
        """Go on with the rounds in `path` if they are those of `key`, else start anew."""
        self._path = path
        kept = whole_lines(path)
        header = json.dumps({"key": key})
        self._left = kept[1:] if kept and kept[0] == header else []
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text("".join(f"{line}\n" for line in (header, *self._left)), encoding="utf-8")
        os.replace(partial, path)
        self._file = path.open("a", encoding="utf-8")

    def rounds(self) -> Iterator[Round]:
        """The rounds that were finished before, in order."""
        for line in self._left:
            yield _ROUND.validate_json(line)

    def append(self, finished: Round) -> None:
        """Keep a finished round; it is on the disk when this returns."""
        self._file.write(_ROUND.dump_json(finished).decode() + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self, *, done: bool) -> None:
        """`done`: the dataset is written, and its rounds are of no more use."""
        self._file.close()
        if done:
            self._path.unlink()
