"""An item as the review's page shows it: what was asked, done and said; not by whom, nor what it was paid."""

from collections.abc import Mapping, Sequence
from typing import Any

from launch.web.review_items import Item
from medrl.chat import thought_of
from medrl.judge import Preference
from medrl.ratings import Rating
from medrl.types import Question, Rollout, Step

_TURNED: Mapping[Preference, Preference] = {"first": "second", "second": "first", "tie": "tie"}


def item_view(named: str, question: Question, episodes: Sequence[tuple[str, Rollout]]) -> dict[str, Any]:
    """The question with its episodes, each by its digest, in the order in which they stand."""
    return {
        "id": named,
        "question": question.text,
        "about": f"{question.specialty}, {question.hops} step{'s' * (question.hops != 1)}",
        "answer": question.answer,
        "aliases": list(question.aliases),
        "chain": [f"{each.subject.name} — {each.predicate} — {each.object.name}" for each in question.relations],
        "episodes": [_episode(digest, rollout) for digest, rollout in episodes],
    }


def given_view(rating: Rating, item: Item) -> dict[str, Any]:
    """What was said, as the page would send it for the item as it is shown."""
    criteria = {each.digest: dict(each.criteria) for each in rating.episodes}
    turned = rating.episodes[0].digest != item.entries[0].digest
    return {
        "score": rating.score,
        "preference": _TURNED[rating.preference] if turned and rating.preference else rating.preference,
        "criteria": [criteria.get(entry.digest, {}) for entry in item.entries],
        "comment": rating.comment,
    }


def _episode(named: str, rollout: Rollout) -> dict[str, Any]:
    return {
        "digest": named,
        "answer": rollout.answer,
        "ending": rollout.ending,
        "calls": rollout.num_tool_calls,
        "steps": [_step(step) for step in rollout.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    """A turn as a reader wants it: what it thought, what it asked, what came back; as written where it says neither."""
    thought = thought_of(step.text)
    call = None
    if step.call is not None:
        call = {"tool": step.call.name, "arguments": [[key, str(value)] for key, value in step.call.arguments.items()]}
    return {
        "thought": thought,
        "written": step.text if not thought and call is None else "",
        "call": call,
        "observation": step.observation,
        "mistake": step.status in ("mistake", "malformed"),
        "sources": list(step.sources),
    }
