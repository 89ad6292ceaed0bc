import pytest
from hypothesis import given
from hypothesis import strategies as st

from kisa.formats.turns import joined, spaced, unwrapped, wrapped
from medrl.chat import render_answer, render_call
from medrl.errors import DataError
from medrl.types import ToolCall


def test_blank_lines_of_a_call_and_of_an_answer() -> None:
    call = render_call("why", ToolCall("t", {"query": "x"}))
    assert spaced(call) == '<think>why</think>\n\n<tool_call>{"name": "t", "arguments": {"query": "x"}}</tool_call>'
    assert spaced(render_answer("why", "x")) == "<think>why</think>\n<answer>x</answer>"
    assert joined("<think>\nlong\n</think>\n<answer>x</answer>") == "<think>\nlong\n</think><answer>x</answer>"
    assert spaced("no turn <answer>") == joined("no turn <answer>") == "no turn <answer>"


@given(st.text().filter(lambda thought: "</think>" not in thought), st.text())
def test_turns_come_back(thought: str, answer: str) -> None:
    for turn in (render_answer(thought, answer), render_call(thought, ToolCall("t", {"query": answer}))):
        assert spaced(turn) != turn and joined(spaced(turn)) == turn


@given(st.text(alphabet="\n <>/a{}é😀") | st.sampled_from(["</tool_response>", "<tool_response>\n", "\n\n"]))
def test_what_tools_gave_comes_back(observation: str) -> None:
    assert unwrapped(wrapped(observation)) == observation


@pytest.mark.parametrize(
    "turn", ["text", "<tool_response>text", "text</tool_response>", " <tool_response></tool_response>"]
)
def test_another_turn_is_no_response(turn: str) -> None:
    with pytest.raises(DataError, match="no <tool_response>"):
        unwrapped(turn)
