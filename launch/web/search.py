"""Words looked for in whole episodes: question, thoughts, calls, observations, answer."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from medrl.chat import thought_of
from medrl.types import Question, Rollout

_AROUND = 70
#: Written with an escape in JSON, so a line that holds such a word does not show it as it is.
_ESCAPED = set('"\\/')


@dataclass(frozen=True, slots=True)
class Hit:
    """Where the first word was found, and the text around it."""

    where: str
    text: str


def words_of(query: str) -> list[str]:
    """What to look for: each word somewhere in the episode, whatever its case."""
    return query.lower().split()


def find(words: Sequence[str], question: Question | None, line: bytes, read: Callable[[], Rollout]) -> Hit | None:
    """The first hit if all `words` are in the episode, else None. `read` gives the episode that `line` holds.

    Most lines are ruled out by their bytes, past the token ids, so only few are parsed.
    """
    asked = question.text.lower() if question is not None else ""
    if not _may_hold([word for word in words if word not in asked], line):
        return None
    texts = list(texts_of(read(), question))
    lowered = [text.lower() for _, text in texts]
    if not all(any(word in text for text in lowered) for word in words):
        return None
    for (where, text), low in zip(texts, lowered, strict=True):
        if (at := low.find(words[0])) >= 0:
            return Hit(where, text[max(0, at - _AROUND) : at + len(words[0]) + _AROUND])
    return None


def texts_of(rollout: Rollout, question: Question | None) -> Iterator[tuple[str, str]]:
    """(where, text), in the order of reading."""
    if question is not None:
        yield "question", question.text
    for turn, step in enumerate(rollout.steps, start=1):
        yield f"thought, turn {turn}", thought_of(step.text) or ("" if step.call else step.text)
        if step.call is not None:
            yield f"call, turn {turn}", f"{step.call.name} {json.dumps(dict(step.call.arguments), ensure_ascii=False)}"
        yield f"observation, turn {turn}", step.observation
    yield "answer", rollout.answer or ""


def _may_hold(words: Sequence[str], line: bytes) -> bool:
    text = line[max(0, line.find(b'"steps":')) :]
    if b"\\u" in text or b"\\/" in text:  # another writer's escapes
        return True
    lowered = text.decode("utf-8", "replace").lower()
    return all(word in lowered for word in words if not _ESCAPED & set(word))
