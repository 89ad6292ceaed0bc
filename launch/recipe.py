"""Recipes: YAML files that configure a run, found by name or by path."""

from collections.abc import Sequence
from pathlib import Path

from medrl.config import Config, load
from medrl.errors import ConfigError

FOLDER = Path(__file__).parent / "recipes"


def recipe_names() -> list[str]:
    """The recipes that come with medrl."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find_recipe(name: str) -> Path:
    """A shipped recipe's file, or the file at the path `name`. Raises ConfigError listing the recipes there are."""
    if name in recipe_names():
        return FOLDER / f"{name}.yaml"
    path = Path(name).expanduser()
    if path.is_file():
        return path
    raise ConfigError(f"no recipe {name!r}: give one of {', '.join(recipe_names())}, or the path of a YAML file")


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Config:
    """The resolved configuration of a recipe with `a.b=value` overrides. Raises ConfigError, one line."""
    return load(find_recipe(name), tuple(overrides))
