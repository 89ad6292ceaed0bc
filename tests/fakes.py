"""Scripted stand-ins for the two seams that tests may fake: the language model and a tool."""

from collections.abc import Mapping, Sequence
from typing import Any

from envs.tools.base import ToolResult
from medrl.chat import ChatCodec
from medrl.errors import ToolOutage
from medrl.types import Completion, Question, Sampling


class ScriptedGenerate:
    """Says the given turns in order; remembers what it was asked."""

    def __init__(self, codec: ChatCodec, turns: Sequence[str], version: int = 3) -> None:
        self._codec = codec
        self._turns = list(turns)
        self._version = version
        self.requests: list[tuple[list[int], Sampling, str]] = []

    async def __call__(self, token_ids: list[int], *, sampling: Sampling, request_id: str) -> Completion:
        self.requests.append((list(token_ids), sampling, request_id))
        ids = self._codec.encode_action(self._turns.pop(0))[: sampling.max_tokens]
        ended = ids[-1] in self._codec.end_ids
        return Completion(ids, [-0.5] * len(ids), [self._version] * len(ids), "stop" if ended else "length")


class FakeTool:
    """Answers from a table; an unknown query is a mistake, the query "down" an outage."""

    description = "look up a term"
    parameters: Mapping[str, Any] = {"type": "object", "properties": {"query": {"type": "string"}}}

    def __init__(self, answers: Mapping[str, str], name: str = "medical_retriever") -> None:
        self.name = name
        self._answers = answers

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        query = arguments.get("query")
        if query == "down":
            raise ToolOutage("medical_retriever: connection refused")
        if query not in self._answers:
            return ToolResult.mistake(f"nothing under {query!r}")
        return ToolResult(self._answers[query], (f"doc-{query}",))


def question(**changes: Any) -> Question:
    """A question with the given fields; the others hold something valid."""
    fields: dict[str, Any] = {
        "id": "q1",
        "text": "Which gene causes the disease that presents with pectus carinatum?",
        "answer": "FBN1",
        "aliases": (),
        "hops": 2,
        "specialty": "cardiology",
        "split": "train",
        "relations": (),
    }
    return Question(**(fields | changes))
