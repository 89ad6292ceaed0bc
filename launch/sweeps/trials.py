"""The trials of a sweep: every setting with every seed, each the resolved configuration of a run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from launch.recipe import load_recipe
from launch.sweeps.definition import Setting, SweepFile, Values, settings_of
from medrl.config import Config
from medrl.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Trial:
    """A run of a sweep."""

    setting: Setting
    seed: int
    config: Config

    @property
    def name(self) -> str:
        return trial_name(self.setting, self.seed)


def trial_name(setting: Setting, seed: int) -> str:
    """Of its folder below trials/."""
    return f"{setting.name}-seed{seed}"


def trials_of(file: SweepFile) -> list[Trial]:
    """Seed by seed, so that a sweep that is stopped has compared all settings. Raises ConfigError, one line."""
    settings = settings_of(file)
    return [Trial(setting, seed, _config(file, setting, seed)) for seed in file.seeds for setting in settings]


def common_config(file: SweepFile, seed: int) -> Config:
    """What all trials have in common: the recipe and `settings`, none varied."""
    return run_config(file, {}, seed, "common", ("shared",))


def run_config(file: SweepFile, values: Values, seed: int, name: str, tags: Sequence[str]) -> Config:
    """The recipe with the sweep's settings, then `values`. Raises ConfigError, one line."""
    ours = {
        "name": f"{file.name}-{name}",
        "seed": seed,
        "run_dir": str(file.run_path / "trials" / name),
        "out": "",
        "resume": "auto",
        "tracking.group": file.name,
        "tracking.tags": list(tags),
    }
    overrides = [f"{key}={json.dumps(value)}" for key, value in ({**file.settings, **values} | ours).items()]
    return load_recipe(file.recipe, overrides)


def _config(file: SweepFile, setting: Setting, seed: int) -> Config:
    name = trial_name(setting, seed)
    try:
        return run_config(file, setting.values, seed, name, (setting.name, f"seed{seed}"))
    except ConfigError as error:
        _require_common(file, seed, str(error))
        raise ConfigError(f"{file.name}, setting {setting.name}: {error}") from error


def _require_common(file: SweepFile, seed: int, fault: str) -> None:
    """Raises ConfigError if what all trials have in common has the same fault: then no setting is to blame."""
    try:
        common_config(file, seed)
    except ConfigError as error:
        if str(error) == fault:
            raise ConfigError(f"{file.name}: {error}") from error
