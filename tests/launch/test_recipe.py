from pathlib import Path

import pytest

from launch.recipe import find_recipe, load_recipe, recipe_names
from medrl.config import Config, parse
from medrl.errors import ConfigError


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_is_valid_and_named_like_its_file(name: str) -> None:
    config = load_recipe(name)
    assert config.name == name
    assert config.run_path == Path("runs") / name


def test_quickstart_repeats_only_what_matters() -> None:
    """What the recipe states are the defaults, so that the defaults are what is tried most."""
    assert load_recipe("quickstart") == parse({"name": "quickstart"}, "defaults")


def test_a_path_works_and_overrides_win(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ngrpo: {steps: 3}\n")
    config = load_recipe(str(path), ["grpo.steps=5", "model.path=~/models/x"])
    assert isinstance(config, Config)
    assert (config.grpo.steps, config.model.path) == (5, "~/models/x")


def test_an_unknown_recipe_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'quikstart': give one of quickstart"):
        find_recipe("quikstart")
