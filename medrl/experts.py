"""The r_expert of a run that is learnt from ratings (`reward.ratings`): fitted once, kept as <run>/expert.json.

A run that is gone on with takes it from there, so that its reward does not change because someone rated meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from medrl.config import Config
from medrl.errors import ConfigError, DataError
from medrl.preferences import FEATURE_VERSION, FEATURES, PRIOR, HeldOut, LearntExpert, fit, held_out
from medrl.ratings import comparisons, read_ratings, standing
from medrl.records import fault, write_text

EXPERT_FILE = "expert.json"
SEED, RESAMPLES = 0, 1000
"""Of the held-out figures: the same ratings give the same ones whatever run they are printed for."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """An expert and what it was learnt from. `set_aside`: ratings whose features are of another version."""

    expert: LearntExpert
    ratings: int
    preferences: int
    raters: int
    questions: int
    set_aside: int
    held_out: HeldOut | None
    feature_version: int = FEATURE_VERSION


_FILE = TypeAdapter(Learnt)


def learn(paths: Sequence[Path], *, seed: int = SEED, resamples: int = RESAMPLES) -> Learnt:
    """Fit the ratings of these files together. Raises ConfigError if they compare no two episodes, DataError if one
    cannot be read."""
    named = ", ".join(map(str, paths))
    for path in paths:
        if not path.is_file():
            raise ConfigError(
                f"reward.ratings={path}: no such file; `medrl review RUN` writes ratings.jsonl in the run"
            )
    rated = [each for path in paths for each in standing(read_ratings(path))]
    usable = [each for each in rated if each.feature_version == FEATURE_VERSION]
    compared = comparisons(usable)
    if not compared:
        known = f"{len(rated)} ratings, {len(rated) - len(usable)} of them of episodes described by other rules"
        raise ConfigError(
            f"reward.ratings={named}: no two episodes of a question are compared ({known}); rate pairs with "
            "`medrl review RUN`, or leave reward.ratings out"
        )
    return Learnt(
        fit(compared),
        ratings=sum(each.kind == "rating" for each in usable),
        preferences=sum(each.kind == "preference" for each in usable),
        raters=len({each.rater for each in usable}),
        questions=len({each.question_id for each in compared}),
        set_aside=len(rated) - len(usable),
        held_out=held_out(compared, seed=seed, resamples=resamples),
    )


def learnt_for(config: Config) -> Learnt:
    """What `reward.ratings` teaches, not kept. Raises as `learn` does."""
    return learn([Path(each).expanduser() for each in config.reward.ratings])


def settled(config: Config) -> Learnt | None:
    """The run's expert: from its expert.json, else fitted now and kept there. None without `reward.ratings`.

    Raises as `learn` does; DataError if the kept one cannot be read.
    """
    if not config.reward.ratings:
        return None
    path = config.run_path / EXPERT_FILE
    if not path.exists():
        write_text(path, _FILE.dump_json(learnt_for(config), indent=2).decode() + "\n")
    try:
        return _FILE.validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(f"{path}: {fault(error)}; delete it, and it is fitted again") from error


def described(learnt: Learnt) -> list[str]:
    """Lines to print: from how much it was learnt, how well it foretells what it did not see, and its weights."""
    aside = f"; {learnt.set_aside:,} older ones set aside" if learnt.set_aside else ""
    lines = [
        f"learnt from {_counted(learnt.preferences, 'preference')} and {_counted(learnt.ratings, 'score')} of "
        f"{_counted(learnt.raters, 'rater')} on {_counted(learnt.questions, 'question')}{aside}"
    ]
    if learnt.held_out is None:
        lines.append("held-out accuracy: not known, as fewer than two questions have a verdict that is no tie")
    else:
        found = learnt.held_out
        lines.append(
            f"held-out verdicts foretold: {_share(found.learnt)}, the built-in rubric {_share(found.rubric)}, "
            f"difference {_share(found.difference, '+')} ({found.questions:,} questions)"
        )
    weights = zip(FEATURES, learnt.expert.weights, PRIOR.tolist(), strict=True)
    lines.append("weights (rubric): " + ", ".join(f"{name} {w:.2f} ({p:.2f})" for name, w, p in weights))
    return lines


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _share(interval: tuple[float, float, float], sign: str = "") -> str:
    mean, low, high = (np.round(each, 3) for each in interval)
    return f"{mean:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"
