"""Bad arguments are told to the model, with what is expected."""

from typing import Any

import pytest

from envs.reasoning.engine import ClinicalReasoningEngine
from envs.retrieval.index import Index
from envs.tools.arguments import check_arguments
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
