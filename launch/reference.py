"""The reference of every setting, docs/configuration.md, from the classes that read them. `medrl config` prints it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from medrl.config import Config

Schema = Mapping[str, Any]

_PREFACE = """\
# Configuration

Every key of a recipe, from the classes that read it ([medrl/config.py](../medrl/config.py),
[medrl/sections/](../medrl/sections/)). `medrl config` prints this page for your version, `make docs` writes it
again, and `medrl plan RECIPE` shows what all keys of one recipe come to.

A recipe is a YAML file with these keys. What it leaves out keeps its default; a key that is not here is refused, and so
is a value out of range. On the command line a setting is written `section.key=value`, the value as YAML has it:

    medrl plan my.yaml grpo.steps=40 kisa.hop_shares='{2: 0.7, 3: 0.3}' knowledge.indexes='[pubmed.index]'

Keys that end with `_s` are seconds. Keys of services stand in no recipe: they come from the environment."""

_MODELS = "Language models"


class _Place(NamedTuple):
    """A class of the configuration and where it stands."""

    prefix: str
    schema: Schema


def reference() -> str:
    """The page, as Markdown."""
    schema = Config.model_json_schema()
    classes: Mapping[str, Schema] = schema["$defs"]
    shared: dict[str, list[str]] = {}
    parts = [_PREFACE]
    for place in _places(_Place("", schema), classes, shared):
        level = "##" if "." not in place.prefix else "###"
        title = f"`{place.prefix}`" if place.prefix else "The recipe itself"
        parts.append(_section(f"{level} {title}", _said(place.schema), place, classes))
    parts.append(
        f"## {_MODELS}\n\nSections that name a language model behind an endpoint have the keys of one of these."
    )
    for name, keys in sorted(shared.items()):
        where = "Stands at " + ", ".join(f"`{key}`" for key in keys) + "."
        place = _Place("", classes[name])
        parts.append(_section(f"### {_heading(name)}", f"{_said(place.schema)} {where}", place, classes))
    return "\n\n".join(parts) + "\n"


def _places(place: _Place, classes: Mapping[str, Schema], shared: dict[str, list[str]]) -> Iterator[_Place]:
    """`place` and the sections below it, in order; those that may be absent, or repeat, go to `shared` by class."""
    yield place
    for key, field in place.schema["properties"].items():
        full = f"{place.prefix}.{key}" if place.prefix else key
        if "$ref" in field:
            yield from _places(_Place(full, classes[_name(field)]), classes, shared)
        else:
            for each in (*field.get("anyOf", ()), field.get("items", {})):
                if "$ref" in each:
                    shared.setdefault(_name(each), []).append(full)


def _section(heading: str, text: str, place: _Place, classes: Mapping[str, Schema]) -> str:
    dot = f"{place.prefix}." if place.prefix else ""
    required: Sequence[str] = place.schema.get("required", ())
    rows = []
    for key, field in place.schema["properties"].items():
        if "$ref" in field:
            rows.append((f"`{dot}{key}`", "section", "", f"see [`{dot}{key}`](#{_anchor(dot + key)})"))
        else:
            default = "required" if key in required else f"`{_written(field['default'])}`"
            rows.append((f"`{dot}{key}`", kind(field), default, field.get("description", "")))
    head = ("key", "value", "default", "meaning")
    lines = [head, ("---",) * 4, *rows]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"{heading}\n\n{text}\n\n{table}"


def kind(field: Schema) -> str:
    """What values a key takes, in words."""
    if "anyOf" in field:
        return ", or ".join(kind(each) for each in field["anyOf"])
    if "$ref" in field:
        return f"section [{_heading(_name(field))}](#{_anchor(_heading(_name(field)))})"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    match field["type"]:
        case "array":
            items = kind(field["items"])
            return f"list of {items}s" if items == "text" else f"list of {items}"
        case "object":
            return f"keys and values, each a {kind(field['additionalProperties'])}"
        case "boolean":
            return "`true`, `false`"
        case "string":
            return "text"
        case "null":
            return "`null`"
        case number:
            return number + _range(field, 1 if number == "integer" else 0)


def _range(field: Schema, step: int) -> str:
    """The bounds of a number; `step` from one to the next, 0 if any lies between."""
    low, above = field.get("minimum"), field.get("exclusiveMinimum")
    high, below = field.get("maximum"), field.get("exclusiveMaximum")
    if above is not None and step:
        low, above = above + step, None
    bounds = []
    if low is not None:
        bounds.append(f"{low:g} or more" if high is None else f"{low:g} to {high:g}")
    if above is not None:
        bounds.append(f"above {above:g}")
    if low is None and high is not None:
        bounds.append(f"at most {high:g}")
    if below is not None:
        bounds.append(f"below {below:g}")
    return "".join(f", {bound}" for bound in bounds)


def _written(value: object) -> str:
    """A default as YAML has it."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_written(each)}" for key, each in value.items()) + "}"
        case str():
            return value or '""'
        case _:
            return json.dumps(value)


def _said(schema: Schema) -> str:
    """What the class says of itself, as one paragraph."""
    return " ".join(schema["description"].split())


def _name(field: Schema) -> str:
    return str(field["$ref"]).rpartition("/")[2]


def _heading(name: str) -> str:
    """`EndpointConfig` -> "Endpoint"."""
    return name.removesuffix("Config")


def _anchor(heading: str) -> str:
    """As GitHub makes them."""
    return "".join(each for each in heading.lower().replace(" ", "-") if each.isalnum() or each in "-_")
