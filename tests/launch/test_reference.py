from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from launch import cli
from launch.reference import kind, reference
from medrl.config import Config, known_keys, parse

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def rows() -> dict[str, list[str]]:
    """The cells of the page's tables, by key."""
    cells = [line.strip("| ").split(" | ") for line in reference().splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row for row in cells}


def test_the_committed_page_is_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config"]) == 0
    assert capsys.readouterr().out == reference()
    assert PAGE.read_text(encoding="utf-8") == reference(), "the page is behind the code: make docs"


def test_every_key_is_there_with_its_meaning() -> None:
    shown = rows()
    for key in known_keys():
        known = key if key in shown else key.rpartition(".")[2]  # of a language model: listed once for all
        assert len(shown[known]) == 4 and shown[known][3].strip(), f"{key} has no description"


def test_sections_say_what_they_are_for() -> None:
    def walk(section: type[BaseModel]) -> None:
        assert section.__doc__ and "spec" not in section.__doc__, section
        for field in section.model_fields.values():
            for each in (field.annotation, *get_args(field.annotation)):
                if isinstance(each, type) and issubclass(each, BaseModel):
                    walk(each)

    walk(Config)


def test_every_default_can_be_written_as_it_is_shown() -> None:
    """A recipe with all defaults, as the page shows them, is the recipe that gives the name alone."""
    values: dict[str, Any] = {"name": "all"}
    for key in known_keys():
        row = rows().get(key)
        if row is None or row[2] == "required":  # of a language model, or the name
            continue
        *sections, leaf = key.split(".")
        node = values
        for section in sections:
            node = node.setdefault(section, {})
        node[leaf] = yaml.safe_load(row[2].strip("`"))
    assert parse(values, "the page") == Config(name="all")


@pytest.mark.parametrize(
    ("key", "shown", "taken", "refused"),
    [
        ("grpo.steps", "integer, 1 or more", 1, 0),
        ("grpo.refill", "integer, 0 or more", 0, -1),
        ("grpo.lr", "number, above 0", 1e-9, 0),
        ("grpo.clip_low", "number, above 0, at most 1", 1, 1.01),
        ("reward.irrelevant_below", "number, 0 or more, below 1", 0, 1),
        ("knowledge.lam", "number, 0 to 1", 1, 1.1),
        ("grpo.dual_clip", "number, above 1, or `null`", None, 1),
        ("pool.on_update", "`recompute`, `keep`", "keep", "drop"),
        ("kisa.benchmarks", "list of texts", ["a"], "a"),
        ("tracking.wandb", "`true`, `false`", False, "perhaps"),
    ],
)
def test_what_a_key_takes_is_what_the_configuration_takes(key: str, shown: str, taken: object, refused: object) -> None:
    assert rows()[key][1] == shown
    section, name = key.split(".")
    field = Config.model_fields[section].annotation.model_fields[name]  # type: ignore[union-attr]

    adapter = TypeAdapter(field.rebuild_annotation())
    assert adapter.validate_python(taken) == taken
    with pytest.raises(ValidationError):
        adapter.validate_python(refused)


def test_bounds_of_every_sort_are_put_into_words() -> None:
    assert kind({"type": "integer", "exclusiveMinimum": 3}) == "integer, 4 or more"
    assert kind({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}) == "number, above 0, below 1"
    assert kind({"type": "integer", "maximum": 9}) == "integer, at most 9"
    assert kind({"type": "integer"}) == "integer"
    models = {"type": "array", "items": {"$ref": "#/$defs/EndpointConfig"}}
    assert kind(models) == "list of section [Endpoint](#endpoint)"
