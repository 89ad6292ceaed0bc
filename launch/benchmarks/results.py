"""What one agent with one set of tools did on one benchmark, on disk, so that an interrupted evaluation goes on.

<run>/benchmarks/<benchmark>/<agent>-<tools>/
    about.json           what the answers depend on; results of something else are refused
    trajectories.jsonl   one medrl.types.Rollout a line, appended as the episode ends
    items.jsonl          one Scored a line: its answer and what it cost; the verdict is computed anew from the answer
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from envs.benchmarks.item import Item
from envs.benchmarks.scored import Scored
from envs.benchmarks.scorer import score
from medrl.errors import ConfigError, DataError
from medrl.records import append_lines, read_jsonl, to_jsonl, write_json
from medrl.types import Rollout

T = TypeVar("T")
ABOUT, TRAJECTORIES, ITEMS = "about.json", "trajectories.jsonl", "items.jsonl"


class Results:
    """The finished episodes. One process at a time, which holds the run directory."""

    def __init__(self, folder: Path, about: Mapping[str, Any], items: Sequence[Item]) -> None:
        """Open or create; an episode that was kept without its line in items.jsonl gets it now.

        Raises ConfigError if `folder` holds results that depend on something else, DataError if it is damaged.
        """
        self.folder = folder
        self._items = {item.id: item for item in items}
        _settle(folder / ABOUT, about)
        with ExitStack() as files:
            self._trajectories = files.enter_context(closing(_Lines(folder / TRAJECTORIES, Rollout)))
            self._scored = files.enter_context(closing(_Lines(folder / ITEMS, Scored)))
            self._known = {(each.item_id, each.sample): each for each in self._scored.read()}
            for rollout in self._trajectories.read():
                if (rollout.question_id, rollout.sample) not in self._known and rollout.question_id in self._items:
                    self._note(rollout)
            self._files = files.pop_all()

    def missing(self, samples: int) -> list[tuple[Item, int]]:
        """Item and sample of the episodes that are yet to be played, in order: every item once before any is again."""
        wanted = [(item, sample) for sample in range(samples) for item in self._items.values()]
        return [(item, sample) for item, sample in wanted if (item.id, sample) not in self._known]

    def add(self, rollout: Rollout) -> None:
        """Keep a finished episode; it is on the disk when this returns."""
        self._trajectories.append(rollout)
        self._note(rollout)

    def scored(self, samples: int) -> list[Scored]:
        """The episodes of the items that are asked about, each with the verdict of today's rules."""
        asked = [(each, self._items[each.item_id]) for each in self._known.values() if each.item_id in self._items]
        return [rescored(each, item) for each, item in asked if each.sample < samples]

    def rollouts(self) -> Iterator[Rollout]:
        """The first episode of every item that is asked about, read as it is asked for."""
        return (each for each in self._trajectories.read() if each.sample == 0 and each.question_id in self._items)

    def close(self) -> None:
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _note(self, rollout: Rollout) -> None:
        line = scored(self._items[rollout.question_id], rollout)
        self._scored.append(line)
        self._known[line.item_id, line.sample] = line


def scored(item: Item, rollout: Rollout) -> Scored:
    """An episode's line. Its tokens are those of the agent's turns, not those of observations."""
    found = score(item, rollout.answer)
    return Scored(
        item_id=item.id,
        sample=rollout.sample,
        prediction=rollout.answer,
        verdict=found.verdict,
        rule=found.rule,
        judged=found.judged,
        ending=rollout.ending.value,
        tool_calls=dict(Counter(step.call.name for step in rollout.steps if step.call is not None)),
        turns=len(rollout.steps),
        tokens=sum(rollout.action_mask),
        duration_s=rollout.duration_s,
    )


def rescored(line: Scored, item: Item) -> Scored:
    """The line with the verdict that its answer gets from today's rules."""
    found = score(item, line.prediction)
    return replace(line, verdict=found.verdict, rule=found.rule, judged=found.judged)


def _settle(path: Path, about: Mapping[str, Any]) -> None:
    """Note what the results depend on, or see that it is what was noted."""
    about = json.loads(json.dumps(about))  # a list as JSON has it, for one
    if not path.exists():
        write_json(path, about)
        return
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}): delete {path.parent} to play again") from error
    if changed := [key for key in {**held, **about} if held.get(key) != about.get(key)]:
        raise ConfigError(
            f"{path.parent} holds results that came about otherwise ({', '.join(changed)}): delete it to play again, "
            "or give another run_dir"
        )


class _Lines(Generic[T]):
    """A file that records are appended to, one a line; half a last line, of a process that was killed, is cut off."""

    def __init__(self, path: Path, record: type[T]) -> None:
        self._path, self._record = path, record
        self._file = append_lines(path)

    def read(self) -> Iterator[T]:
        return read_jsonl(self._path, self._record)

    def append(self, record: T) -> None:
        self._file.write(to_jsonl([record]))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
