"""A sweep's file: what is varied, what stays, how often. Read, checked, and found by name or by path."""

import difflib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import yaml
from pydantic import Field, ValidationError, model_validator
from ray.tune import choice, loguniform, randint, uniform
from ray.tune.search.sample import Domain

from medrl.config import Config
from medrl.errors import ConfigError
from medrl.records import fault
from medrl.sections.base import Positive, Section
from medrl.sections.machines import MOST_TAG
from medrl.seeds import derive_seed

Values = Mapping[str, Any]
"""Dotted keys of the configuration and their values."""

_OURS = ("name", "seed", "run_dir", "out", "resume", "tracking.group", "tracking.tags")
_NAME = Config.model_fields["name"].metadata[0].pattern


class Distribution(Section):
    """What a random setting is drawn from, of Ray Tune's search space: one of the four."""

    uniform: tuple[float, float] | None = Field(None, description="low, high")
    loguniform: tuple[float, float] | None = Field(None, description="low, high; low above 0")
    randint: tuple[int, int] | None = Field(None, description="low, high; high itself is not drawn")
    choice: tuple[Any, ...] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Distribution":
        if len(given := self.model_dump(exclude_none=True)) != 1:
            raise ValueError(f"{sorted(given)}: give one of uniform, loguniform, randint, choice")
        for low, high in (each for each in (self.uniform, self.loguniform, self.randint) if each is not None):
            if not low < high or (self.loguniform and low <= 0):
                raise ValueError(f"[{low:g}, {high:g}]: low must be below high, and above 0 for loguniform")
        if self.choice == ():
            raise ValueError("choice=[]: give values to choose from")
        return self

    @property
    def domain(self) -> Domain:
        """As Ray Tune has it."""
        for bounds, make in ((self.uniform, uniform), (self.loguniform, loguniform), (self.randint, randint)):
            if bounds is not None:
                return cast(Domain, make(*bounds))
        return cast(Domain, choice(list(self.choice or ())))


class SweepFile(Section):
    """The keys of a sweep's file. One of `grid`, `random` and `cases` says what is varied."""

    name: Annotated[str, Field(pattern=_NAME)]
    recipe: str = Field(description="name or YAML file, beside the sweep's or from here")
    run_dir: str = Field("runs/{name}", description="where the trials and the report are written")
    settings: dict[str, Any] = Field({}, description="dotted keys of all trials, in place of the recipe's")
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field({}, description="every combination of values")
    random: dict[str, Distribution] = Field({}, description="`samples` combinations, drawn")
    samples: Positive | None = None
    cases: dict[str, dict[str, Any]] = Field({}, description="named settings, each of dotted keys")
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    metric: str = Field("rl.sampled.pass_at_1", description="what is compared: a figure of summary.json")
    baseline: str | None = Field(None, description="the setting that others are compared with; null: the first")
    at_once: Positive | None = Field(1, description="trials at a time; null: as many as the machine holds")
    retries: Annotated[int, Field(ge=0)] = Field(2, description="times that a trial that died is started again")
    bootstrap: Positive = 10_000

    @model_validator(mode="after")
    def _varied(self) -> "SweepFile":
        given = [name for name in ("grid", "random", "cases") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"varied by {' and '.join(given) or 'nothing'}: give one of grid, random, cases")
        if bool(self.random) != (self.samples is not None):
            raise ValueError("samples goes with random: how many settings are drawn")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds={self.seeds}: one is there twice")
        keys = {*self.settings, *self.grid, *self.random, *itertools.chain(*self.cases.values())}
        if taken := sorted(keys & set(_OURS)):
            raise ValueError(f"{taken[0]} is set by the sweep itself, for each trial: leave it out")
        return self

    @property
    def run_path(self) -> Path:
        return Path(self.run_dir.replace("{name}", self.name)).expanduser()


@dataclass(frozen=True, slots=True)
class Setting:
    """What one side of a comparison has in place of the recipe's values."""

    name: str
    values: Values


def read_sweep(path: Path) -> SweepFile:
    """The file's keys, checked, the recipe's path among them. Raises ConfigError, one line."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        file = SweepFile.model_validate(values)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error
    beside = path.parent / file.recipe
    return file.model_copy(update={"recipe": str(beside)}) if beside.is_file() else file


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "extra_forbidden":
        key = ".".join(map(str, first["loc"]))
        near = difflib.get_close_matches(key, SweepFile.model_fields, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"unknown key {key}; {hint}there are {', '.join(SweepFile.model_fields)}"
    return fault(error).replace("Value error, ", "")


def settings_of(file: SweepFile) -> list[Setting]:
    """The settings by name, the one that others are compared with first. Raises ConfigError, one line."""
    found = _named(_varied(file))
    names = [setting.name for setting in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{file.name}: two settings would be called {twice[0]}; name them, under `cases`")
    if wrong := [name for name in names if not re.fullmatch(_NAME, name)]:
        raise ConfigError(f"{file.name}: setting {wrong[0]!r}: use letters, digits, dots, dashes in names")
    if long := [name for name in names if len(name) > MOST_TAG]:
        raise ConfigError(f"{file.name}: setting {long[0]}: more than {MOST_TAG} letters; name settings, under `cases`")
    if file.baseline is None:
        return found
    if file.baseline not in names:
        raise ConfigError(f"{file.name}: baseline={file.baseline} is no setting; there are {', '.join(names)}")
    return sorted(found, key=lambda setting: setting.name != file.baseline)


def _varied(file: SweepFile) -> list[Setting]:
    if file.cases:
        return [Setting(name, values) for name, values in file.cases.items()]
    if file.grid:
        return [Setting("", dict(zip(file.grid, each, strict=True))) for each in itertools.product(*file.grid.values())]
    rng = np.random.default_rng(derive_seed(file.name, "random"))
    drawn = [
        {key: _plain(each.domain.sample(random_state=rng)) for key, each in file.random.items()}
        for _ in range(file.samples or 0)
    ]
    return [Setting(f"random-{number}", values) for number, values in enumerate(drawn, start=1)]


def _plain(value: Any) -> Any:
    """A number as Python has it; four digits of a fraction say enough, and can be read."""
    value = value.item() if isinstance(value, np.generic) else value
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _named(settings: list[Setting]) -> list[Setting]:
    """A grid's settings are called after what is varied in them: by the last part of the key, if that tells them."""
    keys = list(settings[0].values) if settings else []
    leaves = [key.rpartition(".")[2] for key in keys]
    shown: Mapping[str, str] = dict(zip(keys, leaves if len(set(leaves)) == len(keys) else keys, strict=True))
    return [
        setting
        if setting.name
        else Setting("_".join(f"{shown[key]}-{_slug(value)}" for key, value in setting.values.items()), setting.values)
        for setting in settings
    ]


def _slug(value: Any) -> str:
    text = {True: "on", False: "off", None: "none"}[value] if isinstance(value, bool | None) else str(value)
    return re.sub(r"[^\w.-]+", "-", text).strip("-") or "empty"
