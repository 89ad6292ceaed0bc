"""Bad arguments are told to the model, with what is expected."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from envs.reasoning.engine import ClinicalReasoningEngine
from envs.retrieval.index import Index
from envs.tools.arguments import check_arguments, object_schema
from envs.tools.base import ToolResult
from envs.tools.clinical_reasoning import ClinicalReasoning
from envs.tools.web_search import LocalProvider, WebSearch


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "`query` is missing"),
        ({"q": "x"}, "missing"),
        ({"query": "x", "k": 3}, "there is no argument `k`"),
        ({"query": 3}, "`query` must be of type string"),
        ({"query": None}, "`query` must be of type string"),
        ({"query": " "}, "`query` is empty"),
        ({"query": "x" * 501}, "`query` is longer than 500"),
    ],
)
def test_each_fault_is_named(web: Index, arguments: dict[str, Any], said: str) -> None:
    result = check_arguments(WebSearch(LocalProvider(web), web.text, 3, 150), arguments)
    assert result is not None and result.is_mistake and result.sources == ()
    assert result.text.startswith("web_search: ") and said in result.text
    assert result.text.endswith('Expected {"query": "..."}.')


@pytest.mark.parametrize(
    ("findings", "said"),
    [("Seizure", "must be of type array"), ([], "`findings` is empty"), ([3], "`findings.0` must be of type string")],
)
def test_arrays_are_checked_within(table: Any, findings: Any, said: str) -> None:
    result = check_arguments(ClinicalReasoning(ClinicalReasoningEngine(table), 150), {"findings": findings})
    assert result is not None and said in result.text and '{"findings": ["...", "..."]}' in result.text


def test_good_arguments_pass(web: Index) -> None:
    assert check_arguments(WebSearch(LocalProvider(web), web.text, 3, 150), {"query": "x"}) is None


class Dose:
    """A tool of whatever kind of argument a tool can have."""

    name = "dose"
    description = "A dose."
    parameters: Mapping[str, Any] = object_schema(
        weight={"type": "number", "minimum": 2.5},
        times={"type": "integer", "maximum": 9},
        renal={"type": "boolean"},
        more={"type": "object"},
        optional={"since": {"type": ["integer", "null"]}},
    )

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        raise NotImplementedError


GIVEN = {"weight": 70.5, "times": 2, "renal": False, "more": {}}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "`weight`, `times`, `renal`, `more` is missing"),
        (GIVEN | {"weight": "70"}, "`weight` must be of type number"),
        (GIVEN | {"weight": 1}, "`weight` is below 2.5"),
        (GIVEN | {"times": 10}, "`times` is above 9"),
        (GIVEN | {"times": 1.5}, "`times` must be of type integer"),
        (GIVEN | {"since": "1990"}, "`since` must be of type integer or null"),
    ],
)
def test_arguments_of_all_kinds_have_an_example_that_fits(arguments: dict[str, Any], said: str) -> None:
    result = check_arguments(Dose(), arguments)
    assert result is not None and said in result.text
    example = json.loads(result.text.partition("Expected ")[2].removesuffix("."))
    assert check_arguments(Dose(), example) is None
    assert ("since" in example) == ("since" in arguments)
