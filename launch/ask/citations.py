"""Which of the documents that were retrieved an answer rests on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from envs.passages import passages
from medrl.normal import mentions
from medrl.rewards import shows
from medrl.types import Rollout


@dataclass(frozen=True, slots=True)
class Citation:
    """A document. `shows_answer`: its text names the answer; `is_named`: a final turn names the document; at least one
    of the two holds. `samples`: of those that gave the answer, how many have it."""

    document: str
    title: str
    text: str
    is_untrusted: bool
    shows_answer: bool
    is_named: bool
    samples: int

    @property
    def label(self) -> str:
        """Title and id, each once, and whether somebody else wrote it."""
        named = f"{self.title} ({self.document})" if self.title else self.document
        if self.document in self.title:
            named = self.title
        return f"{named} [untrusted]" if self.is_untrusted else named


def cite(rollouts: Sequence[Rollout], answer: str) -> tuple[Citation, ...]:
    """The documents behind `answer`, which all `rollouts` gave in some spelling: those that show and are named first,
    then those of most samples, then in the order in which they were found.

    That a document mentions an answer does not make it true: this is where to look, not a proof.
    """
    found: dict[str, Citation] = {}
    for rollout in rollouts:
        for each in _cited(rollout, answer).values():
            old = found.get(each.document)
            found[each.document] = each if old is None else _joined(old, each, old.samples + 1)
    return tuple(sorted(found.values(), key=lambda each: (-each.shows_answer - each.is_named, -each.samples)))


def _cited(rollout: Rollout, answer: str) -> dict[str, Citation]:
    """Of one episode, by document."""
    names = [answer, rollout.answer or answer]
    final = rollout.steps[-1].text
    found: dict[str, Citation] = {}
    for step in rollout.steps:
        showing = shows(step, names)
        for each in passages(step):
            shown = showing and any(mentions(each.text, name) for name in names)
            named = any(mentions(final, name) for name in each.names)
            if shown or named:
                new = Citation(each.document, each.title, each.text, each.is_untrusted, shown, named, 1)
                old = found.get(each.document)
                found[each.document] = new if old is None else _joined(old, new, 1)
    return found


def _joined(old: Citation, new: Citation, samples: int) -> Citation:
    """Of one document, found twice; what shows the answer is what to quote."""
    return replace(
        new if new.shows_answer and not old.shows_answer else old,
        shows_answer=old.shows_answer or new.shows_answer,
        is_named=old.is_named or new.is_named,
        samples=samples,
    )
