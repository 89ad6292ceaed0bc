"""The shape of a tool, and of what it returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from medrl.state import Candidate, Fact

UNTRUSTED = "[untrusted text] "
"""Before what somebody else wrote: a registry, a corpus of the user's, a page of the web."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model is shown. `sources` are the ids of the documents behind the text; `facts` what it states, and
    `hypotheses` the diseases that it ranks, best first: for the episode's state, so nothing that the text lacks.
    `cached`: no call was made for it, as its answer was known. `corruption`: how the text was spoilt on purpose, in a
    demonstration of recovering from it; "" if it was not.
    """

    text: str
    sources: tuple[str, ...] = ()
    is_mistake: bool = False
    facts: tuple[Fact, ...] = ()
    hypotheses: tuple[Candidate, ...] = ()
    cached: bool = False
    corruption: str = ""

    @classmethod
    def mistake(cls, text: str) -> "ToolResult":
        """The model called the tool wrongly; `text` tells it how, and what is expected."""
        return cls(text, is_mistake=True)


class Tool(Protocol):
    """A tool the policy may call.

    `description` is one short sentence; `parameters` a JSON schema of the arguments. `call` returns a mistake for bad
    arguments and raises ToolOutage when the service behind it cannot be reached.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult: ...
