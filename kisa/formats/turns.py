"""Turns as our agent writes them and as MedResearcher-R1's training data has them, which differ in blank lines.

    <think>why</think><tool_call>{...}</tool_call>      <think>why</think>\\n\\n<tool_call>{...}</tool_call>
    <think>why</think><answer>FBN1</answer>             <think>why</think>\\n<answer>FBN1</answer>
    <tool_response>text</tool_response>                 <tool_response>\\ntext\\n</tool_response>

Theirs may make several calls at once: then as many turns of the agent follow each other, and the responses after them.
"""

import re
from collections.abc import Sequence
from itertools import groupby, takewhile

from medrl.errors import DataError
from medrl.types import Message

_GAPS = {"<tool_call>": "\n\n", "<answer>": "\n"}
_CLOSE = re.compile(r"</think>(<tool_call>|<answer>)")
_APART = re.compile(r"</think>\n*(<tool_call>|<answer>)")
_RESPONSE = re.compile(r"<tool_response>\n?(.*?)\n?</tool_response>", re.DOTALL)


def spaced(text: str) -> str:
    """A turn of ours in the other form. What is no such turn stays as it is."""
    return _CLOSE.sub(lambda found: f"</think>{_GAPS[found[1]]}{found[1]}", text, count=1)


def joined(text: str) -> str:
    """A turn of theirs in our form. What is no such turn stays as it is."""
    return _APART.sub(r"</think>\1", text, count=1)


def wrapped(observation: str) -> str:
    """What a tool gave, as a user's turn."""
    return f"<tool_response>\n{observation}\n</tool_response>"


def unwrapped(turn: str) -> str:
    """What a tool gave, exactly as `wrapped` took it. Raises DataError for another turn."""
    found = _RESPONSE.fullmatch(turn)
    if found is None:
        raise DataError(f"the user's turn {turn[:40]!r} after a call is no <tool_response>...</tool_response>")
    return found[1]


def conversation(messages: Sequence[Message]) -> tuple[list[Message], list[tuple[str, str | None]]]:
    """The opening, and each turn of the agent with what came back; None where nothing did."""
    opening = list(takewhile(lambda message: message.role != "assistant", messages))
    if [message.role for message in opening] not in (["system", "user"], ["user"]):
        raise DataError("messages: begin with one of the system's, if any, and one of the user's, then the agent's")
    turns: list[tuple[str, str | None]] = []
    waiting: list[str] = []
    for role, run in groupby(messages[len(opening) :], key=lambda message: message.role):
        texts = [message.content for message in run]
        if role == "assistant":
            waiting = texts
        elif role == "system":
            raise DataError("messages: the system speaks after the question")
        elif len(texts) != len(waiting):
            raise DataError(f"messages: {len(waiting)} turns of the agent are followed by {len(texts)} responses")
        else:
            turns += zip(waiting, map(unwrapped, texts), strict=True)
            waiting = []
    if len(waiting) > 1:
        raise DataError(f"messages: the last {len(waiting)} turns of the agent have no response between them")
    turns += [(text, None) for text in waiting]
    if not turns:
        raise DataError("messages: the agent says nothing: leave the line out")
    return opening, turns
