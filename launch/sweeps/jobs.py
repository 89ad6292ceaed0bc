"""What a sweep runs, and what trials share: those that agree in all settings that a stage depends on do it once.

    shared/data-…   knowledge, data                                  for trials with equal questions and trajectories
    shared/sft-…    the same, then eval_base, sft and eval_sft       for trials that start GRPO from the same weights
    trials/…        whatever is left

Each is a run directory; one that goes on from another takes its finished stages over (`launch.sweeps.takeover`). So
trials with one seed are asked the same questions, and differ in nothing but what is varied.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launch.stages import QUICKSTART
from launch.sweeps.definition import SweepFile
from launch.sweeps.trials import Trial, common_config
from medrl.config import Config, parse

DATA = QUICKSTART[: QUICKSTART.index("data") + 1]
FINETUNED = QUICKSTART[: QUICKSTART.index("eval_sft") + 1]

#: Where a run is and what it is called: no stage depends on it.
_PLACE: dict[str, Any] = dict.fromkeys(("name", "run_dir", "out", "resume", "tracking"), True)
#: What synthesis never reads. A key that is not here makes trials synthesise apart.
_AFTER_DATA = dict.fromkeys(("sft", "reward", "grpo", "curriculum", "learner", "eval"), True)
#: What nothing up to the fine-tuned model's evaluation reads: GRPO's own settings but for the temperature, at which
#: it samples; the curriculum; and the weights of the reward, of which pass rates see the task term alone.
#: A key that is not here makes trials fine-tune apart.
_AFTER_SFT: dict[str, Any] = {
    "grpo": set(
        "steps groups_per_step group_size train_per_group learn_from schedule max_staleness groups_in_flight refill "
        "updates_per_batch lr warmup_steps weight_decay baseline divide_by_std clip_low clip_high dual_clip "
        "aggregation normaliser ratio correction kl overlong skip_constant_groups".split()
    ),
    "curriculum": True,
    "reward": {"task", "expert", "efficiency"},
}
_LATER = {DATA: _AFTER_DATA, FINETUNED: _AFTER_SFT}


@dataclass(frozen=True)
class Job:
    """A run directory to be filled: a trial, or what several share. `takes`: whose finished stages it goes on from."""

    name: str
    config: Config
    stages: tuple[str, ...]
    takes: "Job | None" = None

    @property
    def path(self) -> Path:
        return self.config.run_path

    @property
    def own(self) -> tuple[str, ...]:
        """The stages that it does itself."""
        return tuple(stage for stage in self.stages if self.takes is None or stage not in self.takes.stages)

    @property
    def done(self) -> bool:
        """Whether all its stages are finished."""
        return set(self.stages) <= set(finished_stages(self.path))


def finished_stages(run_path: Path) -> dict[str, dict[str, Any]]:
    """stages.json of a run; empty before the first stage is done."""
    path = run_path / "stages.json"
    stages: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return stages


def jobs_of(file: SweepFile, trials: Sequence[Trial]) -> list[list[Job]]:
    """In waves: what a job takes over is in an earlier one; the last are the trials, in their order."""
    tuned = _shared(file, "sft", FINETUNED, [trial.config for trial in trials])
    apart = [trial.config for trial in trials if stage_key(trial.config, FINETUNED) not in tuned]
    data = _shared(file, "data", DATA, [*(job.config for job in tuned.values()), *apart])
    parts = {
        key: Job(job.name, job.config, job.stages, data.get(stage_key(job.config, DATA))) for key, job in tuned.items()
    }
    whole = [
        Job(
            trial.name,
            trial.config,
            QUICKSTART,
            parts.get(stage_key(trial.config, FINETUNED)) or data.get(stage_key(trial.config, DATA)),
        )
        for trial in trials
    ]
    return [wave for wave in ([*data.values()], [*parts.values()], whole) if wave]


def stage_key(config: Config, stages: tuple[str, ...]) -> str:
    """A hash of all settings that `stages`, DATA or FINETUNED, depend on."""
    values = config.model_dump(mode="json", exclude=_PLACE | _LATER[stages])
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=4).hexdigest()


def _shared(file: SweepFile, kind: str, stages: tuple[str, ...], configs: Iterable[Config]) -> dict[str, Job]:
    """One job for each key that several of `configs` have."""
    by_key: dict[str, list[Config]] = {}
    for config in configs:
        by_key.setdefault(stage_key(config, stages), []).append(config)
    return {
        key: Job(f"{kind}-{key}", _part_config(file, same[0], stages, f"{kind}-{key}"), stages)
        for key, same in by_key.items()
        if len(same) > 1
    }


def _part_config(file: SweepFile, config: Config, stages: tuple[str, ...], name: str) -> Config:
    """`config`, with what comes after `stages` as all trials have it: whichever trial is asked, the same."""
    common = common_config(file, config.seed)
    values = _merged(common.model_dump(), config.model_dump(exclude=_PLACE | _LATER[stages]))
    return parse(
        values | {"name": f"{file.name}-{name}", "run_dir": str(file.run_path / "shared" / name)},
        f"{file.name}, shared {name}",
    )


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`, section by section of the configuration's first level."""
    return {
        key: value | above[key] if key in above and isinstance(value, dict) else above.get(key, value)
        for key, value in below.items()
    }
