"""Recipes: YAML files that configure a run, found by name or by path."""

import json
from collections.abc import Sequence
from pathlib import Path

from medrl.config import Config, load
from medrl.errors import ConfigError

FOLDER = Path(__file__).parent / "recipes"
_HELD = "config.yaml"


def recipe_names() -> list[str]:
    """The recipes that come with medrl."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find_recipe(name: str) -> Path:
    """A shipped recipe's file, the file at the path `name`, or the one that the run in the folder `name` was made with.
    Raises ConfigError listing the recipes there are."""
    if name in recipe_names():
        return FOLDER / f"{name}.yaml"
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if (path / _HELD).is_file():
        return path / _HELD
    raise ConfigError(
        f"no recipe {name!r}: give one of {', '.join(recipe_names())}, the path of a YAML file, or a run's folder"
    )


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Config:
    """The resolved configuration of a recipe with `a.b=value` overrides. Of a run's folder it is that run's, even
    if the folder was moved. Raises ConfigError, one line."""
    found = find_recipe(name)
    is_run = name not in recipe_names() and Path(name).expanduser().is_dir()
    here = (f"run_dir={json.dumps(name)}",) if is_run else ()
    return load(found, (*here, *overrides))
