"""What each finished trial came to: the metric by question, where it is of questions, and the curve of its training."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launch.run_files import column, read_metrics, read_summary
from launch.sweeps.jobs import finished_stages
from medrl.config import Config, load
from medrl.errors import ConfigError, DataError
from medrl.evaluation import pass_at_k

_HEADINGS = ("base", "sft", "rl", "rl_minus_sft", "wall_s", "peak_rss_gb", "counts")
_PASS_RATE = re.compile(r"(base|sft|rl)\.(greedy|sampled)\.pass_at_(\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`values`: the metric by question, one for each of `questions` (their ids); a single value, of no question, for
    other figures. `curve`: (GRPO step, pass rate of its episodes)."""

    values: tuple[float, ...]
    questions: tuple[str, ...]
    curve: tuple[tuple[float, float], ...]
    wall_s: float

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values)


def is_pass_rate(metric: str) -> bool:
    """Whether it is a mean over questions of values in [0, 1], more being better."""
    return _PASS_RATE.fullmatch(metric) is not None


def read_outcome(run_path: Path, metric: str, own: tuple[str, ...]) -> Outcome:
    """Of a finished trial; `own`: the stages that it did itself, whose time counts. Raises ConfigError if there is no
    such metric, DataError if a file is broken."""
    stages = finished_stages(run_path)
    found = _PASS_RATE.fullmatch(metric)
    if found is None:
        values: tuple[float, ...] = (_figure(read_summary(run_path), metric),)
        questions: tuple[str, ...] = ()
    else:
        part, mode, k = found.group(1), found.group(2), int(found.group(3))
        config = load(run_path / "config.yaml")
        samples = _samples(config, part, mode)
        rates = stages[f"eval_{part}"][mode]
        values = tuple(pass_at_k(samples, round(rate * samples), k) for rate in rates)
        questions = _heldout(config.data_path / "questions.jsonl")[: len(values)]
    curve = tuple(
        (step, value)
        for step, value in column(read_metrics(run_path), "grpo", "rollout/pass_rate")
        if value is not None
    )
    return Outcome(values, questions, curve, sum(stages[stage]["wall_s"] for stage in own))


def require_measured(metric: str, config: Config) -> None:
    """Raises ConfigError if summary.json of such a run would not have it, as far as that can be told before."""
    if metric.split(".")[0] not in _HEADINGS:
        raise ConfigError(f"metric {metric}: summary.json has {', '.join(_HEADINGS)}; e.g. rl.greedy.pass_at_1")
    if (found := _PASS_RATE.fullmatch(metric)) is not None:
        part, mode, k = found.groups()
        if not 1 <= int(k) <= (samples := _samples(config, part, mode)):
            raise ConfigError(f"metric {metric}: a question is played {samples} times; raise eval.samples")


def _samples(config: Config, part: str, mode: str) -> int:
    """Of each question; the base model is played greedily alone."""
    return 1 if mode == "greedy" else config.eval.samples * (part != "base")


def _figure(summary: Mapping[str, Any], metric: str) -> float:
    value: Any = summary
    for name in metric.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"metric {metric}: summary.json has no such figure; e.g. rl.greedy.pass_at_1")
    return float(value)


def _heldout(path: Path) -> tuple[str, ...]:
    """Ids of the held-out questions, in the order of the evaluation."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return tuple(line["id"] for line in lines if line["split"] == "heldout")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete the trial's folder to run it again") from error
