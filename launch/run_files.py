"""What a run left in its directory, read back for the report."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medrl.config import load
from medrl.errors import DataError
from medrl.records import read_jsonl
from medrl.types import Question, Rollout

Line = dict[str, Any]


def read_summary(run_path: Path) -> dict[str, Any]:
    """summary.json. Raises DataError if there is none yet."""
    path = run_path / "summary.json"
    try:
        summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing: not evaluated yet; `medrl eval`, with the run's recipe and settings, does that"
        ) from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    return summary


def read_metrics(run_path: Path) -> list[Line]:
    """metrics.jsonl in order. A stage that was begun again replaces what it logged from that step on."""
    path = run_path / "metrics.jsonl"
    lines: list[Line] = []
    if not path.exists():
        return lines
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            line: Line = json.loads(text)
            stage, step = line["stage"], line["step"]
        except (json.JSONDecodeError, KeyError) as error:
            raise DataError(f"{path}:{number}: not a line of metrics: {error}") from error
        lines = [each for each in lines if each["stage"] != stage or each["step"] < step]
        lines.append(line)
    return lines


def column(lines: Sequence[Line], stage: str, key: str) -> list[tuple[float, float | None]]:
    """(step, value) of the lines of `stage` that hold `key`; null becomes None."""
    return [(line["step"], line[key]) for line in lines if line["stage"] == stage and key in line]


def keys_below(lines: Sequence[Line], stage: str, prefix: str) -> list[str]:
    """The keys of `stage` that start with `prefix`, in order of appearance."""
    seen = (key for line in lines if line["stage"] == stage for key in line)
    return list(dict.fromkeys(key for key in seen if key.startswith(prefix)))


def read_questions(run_path: Path) -> dict[str, Question]:
    """The run's questions by id, from where its config.yaml says that they were written."""
    held = run_path / "config.yaml"
    config = load(held) if held.exists() else None
    folder = config.data_path if config is not None and config.out else run_path / "data"  # a run may have been moved
    return {question.id: question for question in read_jsonl(folder / "questions.jsonl", Question)}


def read_rollouts(run_path: Path, part: str) -> dict[str, Rollout]:
    """The first sample of every question in trajectories/<part>.jsonl, by question id."""
    path = run_path / "trajectories" / f"{part}.jsonl"
    if not path.exists():
        raise DataError(f"{path} is missing: `medrl eval`, with the run's recipe and settings, writes it")
    return {rollout.question_id: rollout for rollout in read_jsonl(path, Rollout) if rollout.sample == 0}
