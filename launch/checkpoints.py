"""Checkpoints of a stage: everything it goes on from, in a folder that is there whole or not at all.

    checkpoints/state/grpo/step-0004/   learner's files, trainer.json, buffer.json

The folder is written under another name and renamed, and older ones go only then: whenever the run is killed, the last
whole one is there.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.checkpoint import sync, sync_tree
from medrl.buffer import BufferState, dump_state, load_state
from medrl.errors import DataError
from medrl.records import write_json, write_text


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a stage stands between two steps. `curriculum`: its JSON state, None before the first draw, and in SFT.
    `seconds`: what all attempts at the stage took until here."""

    step: int = 0
    episodes: int = 0
    seconds: float = 0.0
    curriculum: dict[str, Any] | None = None
    buffer: BufferState = field(default_factory=BufferState)


class Checkpoints:
    """The checkpoints below one folder; only the newest is kept."""

    def __init__(self, folder: Path) -> None:
        """Removes what a killed run left half-written."""
        self._folder = folder
        for left in folder.glob(".*.partial"):
            shutil.rmtree(left)

    @property
    def last(self) -> Path | None:
        """The newest whole checkpoint."""
        return max(self._folder.glob("step-*"), default=None, key=lambda path: int(path.name.removeprefix("step-")))

    @contextmanager
    def writing(self, standing: Standing) -> Iterator[Path]:
        """A folder for the learner's files; the checkpoint is there when the block has ended well."""
        final = self._folder / f"step-{standing.step:04d}"
        partial = self._folder / f".{final.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        write_text(partial / "buffer.json", dump_state(standing.buffer))
        values = {name: getattr(standing, name) for name in ("step", "episodes", "seconds", "curriculum")}
        write_json(partial / "trainer.json", values)
        sync_tree(partial)
        os.replace(partial, final)
        sync(self._folder)
        for path in self._folder.glob("step-*"):
            if path != final:
                shutil.rmtree(path)

    def read(self, checkpoint: Path) -> Standing:
        """What `writing` was given. Raises DataError, naming the file, if it cannot be read."""
        path = checkpoint / "trainer.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            buffer = load_state((checkpoint / "buffer.json").read_bytes())
            return Standing(**values, buffer=buffer)
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{path}: not a checkpoint ({error}); delete {checkpoint} to go on without it") from error

    @property
    def seconds(self) -> float:
        """Spent so far on what is to go on from the newest."""
        return self.read(last).seconds if (last := self.last) else 0.0

    def clear(self) -> None:
        """Remove them all: the stage is done."""
        shutil.rmtree(self._folder, ignore_errors=True)
