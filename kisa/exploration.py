"""Exploration data (arXiv 2508.14880, KISA step 7): the teacher strays, sees that it does, and comes back.

    D_train = α·D_guided + (1 − α)·D_exploration, α = 0.7

In its exploration data the paper sees 78% of episodes begin with the medical retriever, 42% switch between general and
medical tools and 34% recover from an error with another tool. Detours are drawn so that much the same comes about (one
question in nine begins with a general tool anyway); what did come about, `habits` counts. Every detour is a real call,
and what it brings stands in the trajectory.
"""

import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kisa.planner import Turns
from medrl.chat import parse_action, render_call, thought_of
from medrl.types import Rollout, ToolCall

_GENERAL_FIRST = 0.12
_GENERAL_LATER = 0.34  # with the above, 42% of episodes switch
_ERROR = 0.34
MEDICAL = ("medical_retriever", "clinical_reasoning")
GENERAL = ("web_search",)
PAPER = {"medical_first": 0.78, "switching": 0.42, "recovery": 0.34}

Detour = Callable[[str], tuple[str, ToolCall]]


@dataclass(frozen=True, slots=True)
class Habits:
    """Shares of episodes that begin with a medical tool, use both general and medical search, and make a call that is
    refused and go on with another tool. `document_read` is neither: it reads what either search found."""

    episodes: int
    medical_first: float
    switching: float
    recovery: float


def explore(turns: Turns, rng: random.Random) -> Turns:
    """The turns of `turns` with one to three detours before its calls; answers are passed on as they are."""
    general_first, general_later, error = (rng.random() < p for p in (_GENERAL_FIRST, _GENERAL_LATER, _ERROR))
    first = [_general] if general_first else []
    later = [*([_general] if general_later else []), *([_misread, _search_instead] if error else [])]
    if not first and not later:
        first = [_look_around]
    text: str | None = next(turns, None)
    calls = 0
    while text is not None:
        call = parse_action(text).call
        if call is not None:
            detours = {0: first, 1: later}.get(calls, [])
            calls += 1
            if detours:
                thought = yield from _go_astray(detours, thought_of(text), _subject(call))
                text = render_call(thought, call)
        observation = yield text
        try:
            text = turns.send(observation)
        except StopIteration:
            return


def _go_astray(detours: Sequence[Detour], thought: str, subject: str) -> Generator[str, str, str]:
    """Take each detour; returns the thought with which the episode goes on."""
    for detour in detours:
        why, call = detour(subject)
        yield render_call(f"{thought} {why}", call)
    return f"I check with the sources. {thought}"


def _general(subject: str) -> tuple[str, ToolCall]:
    return "I try a general search.", ToolCall("web_search", {"query": subject})


def _misread(subject: str) -> tuple[str, ToolCall]:
    return "I try a review.", ToolCall("document_read", {"document": f"{subject} review", "goal": "overview"})


def _search_instead(subject: str) -> tuple[str, ToolCall]:
    return "There is none. I search instead.", ToolCall("medical_retriever", {"query": f"{subject} overview"})


def _look_around(subject: str) -> tuple[str, ToolCall]:
    return "I look for an overview.", ToolCall("medical_retriever", {"query": f"{subject} overview"})


def _subject(call: ToolCall) -> str:
    """What a call is about: the document it reads, what it searches for, the first finding of a differential."""
    findings = call.arguments.get("findings")
    if findings:
        return str(findings[0])
    return str(call.arguments.get("document") or call.arguments.get("query") or "")


def habits(rollouts: Sequence[Rollout]) -> Habits:
    """Count what the episodes do; shares are 0 where there are none."""
    calls = [[step.call.name for step in rollout.steps if step.call is not None] for rollout in rollouts]
    n = max(len(rollouts), 1)
    return Habits(
        len(rollouts),
        sum(names[:1] != [] and names[0] in MEDICAL for names in calls) / n,
        sum(any(name in MEDICAL for name in names) and any(name in GENERAL for name in names) for names in calls) / n,
        sum(map(_recovers, rollouts)) / n,
    )


def _recovers(rollout: Rollout) -> bool:
    made = [(step.status, step.call.name) for step in rollout.steps if step.call is not None]
    return any(
        status == "mistake" and later == "ok" and name != other for (status, name), (later, other) in pairwise(made)
    )
