"""One check of a call's arguments against the tool's JSON schema, worded for the model that wrote them."""

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from envs.tools.base import Tool, ToolResult

_EXAMPLES = {"string": "...", "array": ["...", "..."]}


def check_arguments(tool: Tool, arguments: Mapping[str, Any]) -> ToolResult | None:
    """None if `arguments` fit `tool.parameters`; else a mistake that says what is wrong and what is expected."""
    error = best_match(Draft202012Validator(tool.parameters).iter_errors(dict(arguments)))
    if error is None:
        return None
    example = {name: _EXAMPLES[part["type"]] for name, part in tool.parameters["properties"].items()}
    return ToolResult.mistake(f"{tool.name}: {_explain(error)}. Expected {json.dumps(example)}.")


def object_schema(**properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON schema of an object that has exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def text_schema(description: str) -> Mapping[str, Any]:
    """The JSON schema of a string with something in it."""
    return {"type": "string", "pattern": r"\S", "maxLength": 500, "description": description}


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
            return f"{where} must be of type {error.validator_value}"
        case "pattern" | "minItems":
            return f"{where} is empty"
        case "maxLength" | "maxItems":
            return f"{where} is longer than {error.validator_value}"
        case _:
            return str(error.message)
