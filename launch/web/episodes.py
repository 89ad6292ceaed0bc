"""Where each episode of a run stands in its files, and the little of it that lists and filters need.

Built in the background, file by file, and read on as the run writes: an entry is a few hundred bytes, an episode some
ten thousand, mostly token ids, and is read from its place when it is looked at.
"""

import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from launch.web.lines import Line, Tail
from launch.web.problems import Problem
from medrl.ratings import digest
from medrl.records import fault
from medrl.types import Ending, Reward, Rollout

_ROLLOUT = TypeAdapter(Rollout)
_FIRST = ("base", "sft", "sft-sampled")
_LAST = ("rl", "rl-sampled")
_STEP = re.compile(r"grpo-(\d+)")
_MISTAKES = ("mistake", "malformed")


class Moved(Exception):
    """The file was replaced since the entry was made: list again."""


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call of an episode."""

    tool: str
    mistaken: bool
    latency_s: float
    cached: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One episode: its place in the part's file, and its figures."""

    part: str
    offset: int
    length: int
    question_id: str
    sample: int
    digest: str
    reward: Reward | None
    ending: Ending
    turns: int
    tokens: int
    action_tokens: int
    duration_s: float
    calls: tuple[Call, ...]

    @property
    def correct(self) -> bool | None:
        """None where it was not scored, as in a benchmark, which keeps its verdicts apart."""
        return None if self.reward is None else self.reward.task >= 1.0


@dataclass
class Part:
    """One file of episodes, as far as it has been read."""

    name: str
    tail: Tail
    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class EpisodeIndex:
    """All parts of a run. `refresh` is cheap and returns at once; the reading is done by a thread of its own."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._parts: dict[str, Part] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def refresh(self) -> None:
        """Look for what is new, unless that is being done."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self.update, name="episode-index", daemon=True)
                self._thread.start()

    def update(self) -> None:
        """Read all there is now; returns when nothing is new."""
        found = part_files(self._run)
        self._parts = {name: part for name, part in self._parts.items() if name in found}
        for name, path in found.items():
            part = self._parts.get(name) or Part(name, Tail(path))
            self._parts = dict(sorted({**self._parts, name: part}.items(), key=lambda item: part_order(item[0])))
            self._read(part)

    def parts(self) -> list[Part]:
        """In the order of the run: base, sft, the steps, rl, benchmarks."""
        return list(self._parts.values())

    def entries(self, part: str | None = None) -> list[Entry]:
        """Of one part, or of all."""
        return [entry for each in self.parts() if part in (None, each.name) for entry in list(each.entries)]

    def problems(self) -> list[Problem]:
        """Lines that are no episodes."""
        return [problem for part in self.parts() for problem in part.problems]

    def progress(self) -> tuple[int, int]:
        """(bytes read, bytes there)."""
        read = {part.name: part.tail.offset for part in self.parts()}
        sizes = {name: size_of(path) for name, path in part_files(self._run).items()}
        return sum(min(size, read.get(name, 0)) for name, size in sizes.items()), sum(sizes.values())

    def line(self, entry: Entry) -> bytes:
        """The episode's line. Raises Moved if it is no longer there."""
        try:
            with (self._run / part_path(entry.part)).open("rb") as file:
                file.seek(entry.offset)
                line = file.read(entry.length)
        except FileNotFoundError as error:
            raise Moved(f"{entry.part} is gone") from error
        if len(line) != entry.length or not line.endswith(b"\n"):
            raise Moved(f"{entry.part} was replaced")
        return line

    def episode(self, entry: Entry) -> Rollout:
        """The whole episode. Raises Moved if it is no longer there."""
        try:
            rollout = _ROLLOUT.validate_json(self.line(entry))
        except ValidationError as error:
            raise Moved(f"{entry.part} was replaced") from error
        if (rollout.question_id, rollout.sample) != (entry.question_id, entry.sample):
            raise Moved(f"{entry.part} was replaced")
        return rollout

    def _read(self, part: Part) -> None:
        generation = part.tail.generation
        while True:
            lines = part.tail.read()
            if part.tail.generation != generation:
                generation, part.entries, part.problems = part.tail.generation, [], []
            if not lines:
                return
            for line in lines:
                try:
                    part.entries.append(_entry(part.name, line))
                except ValidationError as error:
                    part.problems.append(Problem(part_path(part.name), line.number, fault(error)))


def part_files(run: Path) -> dict[str, Path]:
    """The parts that a run has now. What the learner made of an episode's tokens, *.tokens.jsonl, is no part."""
    paths = [*(run / "trajectories").glob("*.jsonl"), *run.glob("benchmarks/*/*/trajectories.jsonl")]
    named = {_part_name(path.relative_to(run)): path for path in paths if not path.name.endswith(".tokens.jsonl")}
    return dict(sorted(named.items(), key=lambda item: part_order(item[0])))


def size_of(path: Path) -> int:
    """Bytes; 0 for a file that is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def part_path(part: str) -> str:
    """A part's file, below the run directory."""
    return f"{part}/trajectories.jsonl" if part.startswith("benchmarks/") else f"trajectories/{part}.jsonl"


def part_order(part: str) -> tuple[int, int, int, str]:
    """As the run goes: evaluations before training, steps by number, evaluations after it, benchmarks."""
    if part in _FIRST:
        return 0, _FIRST.index(part), 0, part
    if step := _STEP.fullmatch(part):
        return 1, int(step[1]), 0, part
    if part in _LAST:
        return 2, _LAST.index(part), 0, part
    return 3, 0, 0, part


def latest_first(part: str) -> tuple[int, int, int, str]:
    """The order for whoever looks on: the latest step, those before it, evaluations from the last to the first,
    benchmarks."""
    kind, place, step, name = part_order(part)
    return {1: 0, 2: 1, 0: 2, 3: 3}[kind], place if kind == 2 else -place, -step, name


def is_step(part: str) -> bool:
    """Whether its episodes were played to be learnt from."""
    return _STEP.fullmatch(part) is not None


def _part_name(path: Path) -> str:
    return path.parent.as_posix() if path.parts[0] == "benchmarks" else path.stem


def _entry(part: str, line: Line) -> Entry:
    rollout = _ROLLOUT.validate_json(line.text)
    return Entry(
        part=part,
        offset=line.offset,
        length=len(line.text),
        question_id=rollout.question_id,
        sample=rollout.sample,
        digest=digest(rollout),
        reward=rollout.reward,
        ending=rollout.ending,
        turns=len(rollout.steps),
        tokens=len(rollout.token_ids),
        action_tokens=sum(rollout.action_mask),
        duration_s=rollout.duration_s,
        calls=tuple(_calls(rollout)),
    )


def _calls(rollout: Rollout) -> Iterator[Call]:
    for step in rollout.steps:
        if step.call is not None:
            yield Call(sys.intern(step.call.name), step.status in _MISTAKES, step.latency_s, step.cached)
