"""r = 1.0·r_task + 0.2·r_expert − 0.1·r_efficiency (MedResearcher-R1, arXiv:2508.14880), each term in [0, 1].

r_task is answer correctness. r_expert comes from an `Expert`: a language-model judge, or the rubric here, which looks
at what the agent retrieved and not at how well it writes. r_efficiency counts wasted calls by rules; a judge may add to
it. All parts are countable facts of the episode, so that a reward can be explained, and they are tested against the
ways to game them (tests/medrl/test_gaming.py): a guess, a spam of queries, a citation of anything.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from medrl.matching import answers
from medrl.normal import identifiers, mentions, normalise
from medrl.state import Fact
from medrl.types import Ending, Entity, Question, Reward, Rollout, Step

SUPPORT_WEIGHT, CHAIN_WEIGHT, CITATION_WEIGHT = 0.5, 0.3, 0.2
FREE_VERIFICATIONS = 1
WASTED_CALLS_AT_FULL_PENALTY = 4
"""About one episode's worth: the paper counts 4.2 tool calls a trajectory."""


class Weights(Protocol):
    """The three weights of the composite reward (`medrl.config.RewardConfig` has them)."""

    @property
    def task(self) -> float: ...
    @property
    def expert(self) -> float: ...
    @property
    def efficiency(self) -> float: ...


class Expert(Protocol):
    """Rates an episode in [0, 1], how good it is or how wasteful. Raises InfrastructureError if it cannot be asked."""

    def __call__(self, question: Question, rollout: Rollout) -> float: ...


def composite(task: float, expert: float, efficiency: float, *, weights: Weights) -> float:
    """task·w_task + expert·w_expert − efficiency·w_efficiency. Raises ValueError on a term outside [0, 1]."""
    for name, value in (("task", task), ("expert", expert), ("efficiency", efficiency)):
        if not (math.isfinite(value) and 0.0 <= value <= 1.0):
            raise ValueError(f"reward term {name}={value}: must be in [0, 1]")
    return weights.task * task + weights.expert * expert - weights.efficiency * efficiency


def task_reward(rollout: Rollout, question: Question) -> float:
    """1.0 for a correct answer, else 0.0: wrong, abstained or never given."""
    return float(_is_correct(rollout, question))


@dataclass(frozen=True, slots=True)
class RubricScore:
    """The built-in expert, part by part, each in [0, 1].

    supported  0.5  the answer is correct, and an observation shows it together with the entity before it in the chain
    chain      0.3  share of the chain's intermediate entities that the agent found or asked about (of the anchor, for
                    one hop), in calls that were not refused; None where the question has no chain, and then the other
                    two fill the score
    cited      0.2  of what the final turn names as its source, the share that showed the supported answer or is the
                    entity it is about; naming all that was found is no citation
    """

    supported: float
    chain: float | None
    cited: float

    @property
    def score(self) -> float:
        points = SUPPORT_WEIGHT * self.supported + CITATION_WEIGHT * self.cited
        if self.chain is None:
            return points / (SUPPORT_WEIGHT + CITATION_WEIGHT)
        return points + CHAIN_WEIGHT * self.chain


def expert_rubric(rollout: Rollout, question: Question) -> RubricScore:
    """Score an episode by what it retrieved. A correct guess without evidence earns no support and no citation; a spam
    of queries earns at most the chain's share."""
    said = [_calls_and_observations(step) for step in rollout.steps if step.status == "ok"]
    visited = [any(_names(text, each) for text in said) for each in _stops(question)]
    chain = sum(visited) / len(visited) if visited else None
    evidence = _evidence(rollout, question) if _is_correct(rollout, question) else []
    if not evidence:
        return RubricScore(0.0, chain, 0.0)
    return RubricScore(1.0, chain, _cited(rollout, question, evidence))


def rubric_expert(question: Question, rollout: Rollout) -> float:
    """The rubric as an `Expert`."""
    return expert_rubric(rollout, question).score


@dataclass(frozen=True, slots=True)
class Waste:
    """Turns that brought nothing, by the first rule that applies.

    mistakes    a malformed turn, an unknown tool, bad arguments
    repeats     the same call again without a new document, an observation already seen, or the same tool on documents
                already seen without a new word: a paraphrase
    late        calls after the answer was shown, beyond one verification
    irrelevant  neither the call nor its observation names anything of the chain, the clues or the question's anchors;
                or the fitted choice of tools gave the call less than `irrelevant_below` (`Step.choice`)
    """

    mistakes: int = 0
    repeats: int = 0
    late: int = 0
    irrelevant: int = 0

    @property
    def penalty(self) -> float:
        """In [0, 1]. A count, not a share of the calls: adding good calls does not dilute it."""
        wasted = self.mistakes + self.repeats + self.late + self.irrelevant
        return min(1.0, wasted / WASTED_CALLS_AT_FULL_PENALTY)


def waste(rollout: Rollout, question: Question, irrelevant_below: float = 0.0) -> Waste:
    """Count an episode's wasted turns."""
    counts = dict.fromkeys(("mistakes", "repeats", "late", "irrelevant"), 0)
    shown = {id(step) for step in _evidence(rollout, question)}
    topics = _topics(question)
    calls: set[str] = set()
    observations: set[str] = set()
    documents: set[str] = set()
    words: set[str] = set()
    tools: set[str] = set()
    since_found: int | None = None
    for step in rollout.steps:
        if step.status == "answer" or step.corruption:  # what was spoilt was no fault of the call's
            continue
        if since_found is not None:
            since_found += 1
        call = normalise(_call_text(step))
        seen = normalise(step.observation)
        tool = step.call.name if step.call is not None else ""
        is_old = set(step.sources) <= documents
        is_paraphrase = is_old and bool(step.sources) and tool in tools and set(seen.split()) <= words
        is_unlikely = step.choice is not None and step.choice < irrelevant_below
        if step.status in ("mistake", "malformed"):
            counts["mistakes"] += 1
        elif seen in observations or (call in calls and is_old) or is_paraphrase:
            counts["repeats"] += 1
        elif since_found is not None and since_found > FREE_VERIFICATIONS:
            counts["late"] += 1
        elif is_unlikely or (topics and not any(mentions(_calls_and_observations(step), name) for name in topics)):
            counts["irrelevant"] += 1
        calls.add(call)
        observations.add(seen)
        if step.status == "ok":
            documents.update(step.sources)
            words.update(seen.split())
            tools.add(tool)
        if since_found is None and id(step) in shown:
            since_found = 0
    return Waste(**counts)


def efficiency_penalty(rollout: Rollout, question: Question, irrelevant_below: float = 0.0) -> float:
    """r_efficiency in [0, 1]: wasted turns over 4, at most 1; see `Waste` for the rules.

    All of it for an episode that was ended for its mistakes, which would else cost less than going on.
    """
    return 1.0 if rollout.ending is Ending.MISTAKE_LIMIT else waste(rollout, question, irrelevant_below).penalty


def wasteful(question: Question, rollout: Rollout) -> float:
    """The rules as a rater."""
    return efficiency_penalty(rollout, question)


def score(
    question: Question,
    rollout: Rollout,
    weights: Weights,
    *,
    expert: Expert = rubric_expert,
    efficiency: Expert = wasteful,
) -> Reward:
    """The reward of one finished episode. `expert` rates how good it is, `efficiency` how wasteful.

    Raises ValueError for an episode that ended in an outage (drop it: infrastructure is no reward), and what the raters
    raise.
    """
    if rollout.ending is Ending.TOOL_OUTAGE:
        raise ValueError(f"{rollout.question_id}/{rollout.sample} ended in an outage: retry or drop it, never score it")
    if rollout.question_id != question.id:
        raise ValueError(f"rollout of {rollout.question_id} scored against question {question.id}")
    task = task_reward(rollout, question)
    rating = expert(question, rollout)
    wasted = efficiency(question, rollout)
    return Reward(composite(task, rating, wasted, weights=weights), task, rating, wasted)


def _is_correct(rollout: Rollout, question: Question) -> bool:
    if rollout.answer is None:
        return False
    return answers(rollout.answer, question)


def _chain(question: Question) -> tuple[Entity, ...]:
    return question.entities if question.relations else ()


def _topics(question: Question) -> set[str]:
    """Names and ids of all that the question is about; empty where it has no chain, so that nothing is judged."""
    if not question.relations:
        return set()
    clues = [entity for clue in question.clues for entity in (clue.subject, clue.object)]
    names = {text for entity in (*question.entities, *clues) for text in (entity.name, entity.id)}
    return names | set(question.anchors)


def _stops(question: Question) -> Sequence[Entity]:
    """The entities between anchor and answer; the anchor itself where there are none."""
    chain = _chain(question)
    return chain[1:-1] or chain[:1]


def _before_answer(question: Question) -> Entity | None:
    return question.relations[-1].subject if question.relations else None


def _evidence(rollout: Rollout, question: Question) -> list[Step]:
    """Successful calls whose documents show the gold answer and the entity before it.

    The second half matters: "autosomal dominant" stands in half of all documents, and only one of them is evidence. To
    ask about the entity is not enough, nor is an observation without a document ("No results for …"), which may repeat
    the query.
    """
    names = (question.answer, *question.aliases)
    before = _before_answer(question)
    return [
        step
        for step in rollout.steps
        if shows(step, names) and (before is None or _names("\n".join((step.observation, *step.sources)), before))
    ]


def shows(step: Step, names: Collection[str]) -> bool:
    """Whether it is a successful call whose documents show one of `names`."""
    return step.status == "ok" and bool(step.sources) and any(mentions(step.observation, name) for name in names)


def _cited(rollout: Rollout, question: Question, evidence: Sequence[Step]) -> float:
    """Of the documents and looked-up entities that the final turn names, the share that the answer rests on."""
    final = rollout.steps[-1].text
    before = _before_answer(question)
    showed = {source.casefold() for step in evidence for source in step.sources}
    showed |= {each.casefold() for step in evidence for each in identifiers(step.observation)[0]}
    returned = {source for step in rollout.steps for source in step.sources}
    named = {source.casefold() for source in returned if mentions(final, source)}
    named |= {identifier.casefold() for identifier in identifiers(final)[0]}
    right, wrong = named & showed, named - showed
    if before is not None and _names(final, before):
        right |= {before.id.casefold()}
        wrong -= {before.id.casefold()}
    expected = [question.answer, *question.aliases, *([before.name] if before is not None else [])]
    others = _others(rollout.state.facts, before)
    wrong |= {each for each in others if mentions(final, each) and not any(mentions(name, each) for name in expected)}
    return len(right) / (len(right) + len(wrong)) if right else 0.0


def _others(facts: Sequence[Fact], before: Entity | None) -> Collection[str]:
    """What an answer may be said to rest on: every entity that something is known of, and those listed beside
    `before`."""
    named = normalise(before.name) if before is not None else ""
    lists = {(fact.subject, fact.predicate) for fact in facts if normalise(fact.object) == named}
    listed = [fact.object for fact in facts if (fact.subject, fact.predicate) in lists]
    return {normalise(each): each for each in (*(fact.subject for fact in facts), *listed)}.values()


def _names(text: str, entity: Entity) -> bool:
    return mentions(text, entity.name) or mentions(text, entity.id)


def _calls_and_observations(step: Step) -> str:
    """What was asked, what came back and from which documents, of a successful call; of a mistake only what was asked,
    since an error message may repeat anything."""
    if step.status != "ok":
        return _call_text(step)
    return "\n".join((_call_text(step), step.observation, *step.sources))


def _call_text(step: Step) -> str:
    if step.call is None:
        return ""
    return "\n".join((step.call.name, *(f"{key}: {step.call.arguments[key]}" for key in sorted(step.call.arguments))))
