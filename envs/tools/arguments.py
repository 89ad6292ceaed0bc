"""One check of a call's arguments against the tool's JSON schema, worded for the model that wrote them."""

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from envs.tools.base import Tool, ToolResult

_EXAMPLES: dict[str, Any] = {"string": "...", "array": ["...", "..."], "boolean": True, "object": {}, "null": None}


def check_arguments(tool: Tool, arguments: Mapping[str, Any]) -> ToolResult | None:
    """None if `arguments` fit `tool.parameters`; else a mistake that says what is wrong and what is expected."""
    error = best_match(Draft202012Validator(tool.parameters).iter_errors(dict(arguments)))
    if error is None:
        return None
    wrong = error.absolute_path[0] if error.absolute_path else None
    example = {
        name: _example(part)
        for name, part in tool.parameters["properties"].items()
        if name in tool.parameters["required"] or name == wrong
    }
    return ToolResult.mistake(f"{tool.name}: {_explain(error)}. Expected {json.dumps(example)}.")


def object_schema(
    *, optional: Mapping[str, Mapping[str, Any]] | None = None, **properties: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The JSON schema of an object that has these properties, may have the `optional` ones, and no other."""
    return {
        "type": "object",
        "properties": properties | dict(optional or {}),
        "required": list(properties),
        "additionalProperties": False,
    }


def text_schema(description: str) -> Mapping[str, Any]:
    """The JSON schema of a string with something in it."""
    return {"type": "string", "pattern": r"\S", "maxLength": 500, "description": description}


def _example(part: Mapping[str, Any]) -> Any:
    if "enum" in part:
        return part["enum"][0]
    kinds = part["type"]
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind in ("integer", "number"):
        return part.get("minimum", 1)
    return _EXAMPLES[kind]


def _explain(error: ValidationError) -> str:
    where = "`" + ".".join(map(str, error.absolute_path)) + "`" if error.absolute_path else "the arguments"
    match error.validator:
        case "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            return f"`{'`, `'.join(missing)}` is missing"
        case "additionalProperties":
            unknown = [name for name in error.instance if name not in error.schema["properties"]]
            return f"there is no argument `{'`, `'.join(unknown)}`"
        case "type":
            kinds = error.validator_value
            return f"{where} must be of type {kinds if isinstance(kinds, str) else ' or '.join(kinds)}"
        case "enum":
            return f"{where} must be {' or '.join(map(json.dumps, error.validator_value))}"
        case "minimum":
            return f"{where} is below {error.validator_value}"
        case "maximum":
            return f"{where} is above {error.validator_value}"
        case "pattern" | "minItems":
            return f"{where} is empty"
        case "maxLength" | "maxItems":
            return f"{where} is longer than {error.validator_value}"
        case _:
            return str(error.message)
