"""What is told while a question is played, and what comes of it. `sample` is an episode's index, 0 the greedy one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import TypeAdapter

from envs.passages import Passage
from launch.ask.calibration import Calibrated
from launch.ask.citations import Citation
from medrl.types import Ending, StepStatus, ToolCall

STATEMENT = "For research only. This is no medical advice: do not use it to diagnose or treat anyone; ask a clinician."


@dataclass(frozen=True, slots=True)
class Began:
    """An episode begins. `attempt` above 0: again, as infrastructure failed under it; what was told of it is void."""

    sample: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Said:
    """A turn while it is sampled: all of its text so far, tags left out. The greedy episode's alone."""

    sample: int
    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class Acted:
    """A whole turn. At most one of `call` and `answer` is set; with neither it is the turn as it was written."""

    sample: int
    turn: int
    thought: str
    call: ToolCall | None
    answer: str | None
    written: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What came back: the text as the agent was shown it, and each document's part of it."""

    sample: int
    turn: int
    status: StepStatus
    text: str
    passages: tuple[Passage, ...]
    latency_s: float


@dataclass(frozen=True, slots=True)
class Ended:
    """An episode's end; `answer` is None where it gave none."""

    sample: int
    ending: Ending
    answer: str | None


@dataclass(frozen=True, slots=True)
class Failed:
    """An episode that could not be played: infrastructure failed under each attempt. It counts nowhere."""

    sample: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rival:
    """Another answer, and the samples that gave it."""

    answer: str
    votes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of all episodes: those that were read (the opening, tool responses), and those that were sampled."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a question.

    answer        what most samples say; None where none of them gives an answer
    shown         what the greedy episode, which was told step by step, says
    differs       that it says another thing than most do, or nothing
    votes         samples that say it, of `samples` that were played to their end
    low, high     Wilson's 95% interval of the share
    is_sure       more than half of the samples say it
    confidence    the same in words
    silent        samples that gave no answer
    failed        why others could not be played
    calibration   what held-out questions say, in words; "" where they say nothing
    was_cut       no answer, as the model reads no more tokens
    """

    question: str
    answer: str | None
    shown: str | None
    differs: bool
    confidence: str
    is_sure: bool
    votes: int
    samples: int
    low: float
    high: float
    rivals: tuple[Rival, ...]
    silent: int
    failed: tuple[str, ...]
    citations: tuple[Citation, ...]
    calibrated: Calibrated | None
    calibration: str
    usage: Usage
    seconds: float
    was_cut: bool = False
    statement: str = STATEMENT


Event = Began | Said | Acted | Observed | Ended | Failed | Report
OnEvent = Callable[[Event], None]
_ADAPTERS: dict[type[Event], TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in get_args(Event)}


def as_json(event: Event) -> dict[str, Any]:
    """Plain values, with `type`: the event's name in small letters."""
    values: dict[str, Any] = _ADAPTERS[type(event)].dump_python(event, mode="json")
    return {"type": type(event).__name__.lower()} | values
