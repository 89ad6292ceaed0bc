"""results.json: each setting's metric over seeds, and its difference to the baseline, with a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from launch.sweeps.definition import Setting, SweepFile
from launch.sweeps.outcomes import Outcome, is_pass_rate
from medrl.replication import LEVEL, MOST_SEEDS, Estimate, against, alone, estimate, holm, seeds_needed
from medrl.seeds import derive_seed

Outcomes = Mapping[str, Mapping[int, Outcome]]
"""Setting's name -> seed -> what its trial came to; trials that are not finished are not there."""


@dataclass(frozen=True, slots=True)
class Row:
    """A setting by itself. `estimate`: None if no trial of it is finished."""

    setting: Setting
    seeds: dict[int, float]
    estimate: Estimate | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting less the baseline, by seeds that both have. `paired`: question by question, as both were asked the
    same; `p`: after Holm's correction over all differences."""

    setting: Setting
    seeds: dict[int, float]
    paired: bool
    estimate: Estimate
    p: float
    resolved: bool
    verdict: str


@dataclass(frozen=True, slots=True)
class Results:
    """What the reports show. `failed`: trial's name -> why."""

    file: SweepFile
    baseline: Setting
    rows: list[Row]
    differences: list[Difference]
    failed: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return {
            "sweep": self.file.name,
            "metric": self.file.metric,
            "baseline": self.baseline.name,
            "seeds": self.file.seeds,
            "settings": [
                {"name": row.setting.name, "values": dict(row.setting.values), "by_seed": row.seeds}
                | ({} if row.estimate is None else _plain(row.estimate))
                for row in self.rows
            ],
            "differences": [
                {"name": each.setting.name, "by_seed": each.seeds, "paired_by_question": each.paired}
                | _plain(each.estimate)
                | {"p_holm": each.p, "resolved": each.resolved, "verdict": each.verdict}
                for each in self.differences
            ],
            "failed": self.failed,
        }


def compare(file: SweepFile, settings: Sequence[Setting], outcomes: Outcomes, failed: Mapping[str, str]) -> Results:
    """`settings`: the baseline first."""
    rows = [_row(file, setting, outcomes.get(setting.name, {})) for setting in settings]
    baseline = settings[0]
    measured = [
        (setting, _estimated(file, setting, outcomes.get(setting.name, {}), outcomes.get(baseline.name, {})))
        for setting in settings[1:]
    ]
    there = [(setting, *found) for setting, found in measured if found is not None]
    adjusted = holm([each.p for _, _, _, each in there])
    differences = [
        _judged(file, baseline, setting, seeds, paired, each, p)
        for (setting, seeds, paired, each), p in zip(there, adjusted, strict=True)
    ]
    return Results(file, baseline, rows, differences, dict(failed))


def _row(file: SweepFile, setting: Setting, by_seed: Mapping[int, Outcome]) -> Row:
    cells = [alone(outcome.values) for outcome in by_seed.values()]
    found = estimate(cells, rng=_rng(file, setting), n=file.bootstrap) if cells else None
    return Row(setting, {seed: outcome.mean for seed, outcome in by_seed.items()}, found)


def _estimated(
    file: SweepFile, setting: Setting, after: Mapping[int, Outcome], before: Mapping[int, Outcome]
) -> tuple[dict[int, float], bool, Estimate] | None:
    seeds = [seed for seed in after if seed in before]
    if not seeds:
        return None
    same = [bool(after[seed].questions) and after[seed].questions == before[seed].questions for seed in seeds]
    cells = [
        against(after[seed].values, before[seed].values, paired=paired)
        for seed, paired in zip(seeds, same, strict=True)
    ]
    found = estimate(cells, rng=_rng(file, setting, "difference"), n=file.bootstrap)
    return dict(zip(seeds, found.seeds, strict=True)), all(same), found


def _judged(
    file: SweepFile,
    baseline: Setting,
    setting: Setting,
    seeds: dict[int, float],
    paired: bool,
    found: Estimate,
    p: float,
) -> Difference:
    low, high = found.interval
    outside = low > 0 or high < 0
    resolved = outside and p < LEVEL and len(found.seeds) > 1
    words = ("better", "worse") if is_pass_rate(file.metric) else ("higher", "lower")
    if resolved:
        said = f"resolved: {setting.name} is {words[found.mean < 0]} than {baseline.name} by {abs(found.mean):.3f}"
        said += f" [{min(abs(low), abs(high)):.3f}, {max(abs(low), abs(high)):.3f}]"
    elif found.spread is None:
        said = f"not resolved: {setting.name}, as one seed does not show how much seeds differ; give three or more"
    else:
        why = f"p is {p:.3f} after Holm's correction" if outside else "the interval holds 0"
        more = _more(found.mean, found.spread, len(found.seeds))
        said = f"not resolved: {setting.name} against {baseline.name}, as {why}; {more}"
    return Difference(setting, seeds, paired, found, p, resolved, said)


def _more(mean: float, spread: float, seeds: int) -> str:
    needed = seeds_needed(mean, spread)
    if needed is None:
        return f"a difference as small as {abs(mean):.3f} would need more than {MOST_SEEDS:,} seeds"
    return f"would need about {max(needed, seeds + 1)} seeds, if it is as large as here ({mean:+.3f})"


def _plain(found: Estimate) -> dict[str, Any]:
    values = asdict(found)
    del values["seeds"]
    return values | {"ci95": list(found.interval)}


def _rng(file: SweepFile, setting: Setting, *more: str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(file.name, file.metric, setting.name, *more))
