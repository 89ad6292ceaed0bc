"""A chain -> a question in plain English, by composing noun phrases from the anchor outwards.

finding                    ectopia lentis
-> presents_in disease     the disease that presents with ectopia lentis
-> caused_by gene          Which gene is mutated in the disease that presents with ectopia lentis?
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kisa.frequency import RANGES
from kisa.graph import KnowledgeGraph
from kisa.names import alike, content, normalise
from kisa.query import CONSTRAINTS, SHOWS, Step, followers
from medrl.seeds import derive_seed
from medrl.types import Entity, Query, Question, Relation, Split

#: Key: predicate, then "/other" where the path came past another one, then "/constraint".
_PHRASES: Mapping[str, tuple[str, ...]] = {
    "presents_in": (
        "the disease that presents with {x}",
        "the condition in which {x} is seen",
        "the disorder marked by {x}",
        "the only disease known to show {x}",
    ),
    "presents_in/other": (
        "the other disease that presents with {x}",
        "the other condition in which {x} is seen",
        "the second disorder known to show {x}",
    ),
    "caused_by": (
        "the gene mutated in {x}",
        "the gene behind {x}",
        "the gene linked to {x}",
        "the gene that causes {x}",
    ),
    "caused_by/other": ("the other gene linked to {x}", "the other gene behind {x}"),
    "causes": ("the disease linked to {x}", "the condition caused by {x}", "the disorder due to changes in {x}"),
    "causes/other": (
        "the other disease linked to {x}",
        "the other condition caused by {x}",
        "the second disorder due to changes in {x}",
    ),
    "is_a": (
        "the broader finding that {x} is a kind of",
        "the wider finding that includes {x}",
        "the finding of which {x} is a form",
    ),
    "has_finding/organ_system": (
        "the only {value} finding in {x}",
        "the one {value} sign of {x}",
        "the single {value} feature of {x}",
    ),
    "has_finding/other/organ_system": ("the only other {value} finding in {x}", "the one other {value} sign of {x}"),
    "has_finding/frequency_class": (
        "the only {value} finding ({range} of patients) in {x}",
        "the one {value} sign ({range} of patients) of {x}",
    ),
    "has_finding/other/frequency_class": ("the only other {value} finding ({range} of patients) in {x}",),
    # What narrows a hop stands before {x}: behind it, it would seem to speak of something inside {x}.
    "presents_in/shows": (
        "the disease that presents with {value} and with {x}",
        "the condition in which {value} is seen together with {x}",
        "the disorder that can show {value} and is marked by {x}",
    ),
    "presents_in/other/shows": ("the other disease that presents with {value} and with {x}",),
    "causes/shows": (
        "the disease that presents with {value} and is linked to {x}",
        "the condition that shows {value} and is caused by {x}",
        "the disorder that shows {value} and is due to changes in {x}",
    ),
    "causes/other/shows": (
        "the other disease that presents with {value} and is linked to {x}",
        "the other condition that shows {value} and is caused by {x}",
    ),
}
_TOGETHER = (
    "the one disease in which {x} occur together",
    "the disease that combines {x}",
    "the only disorder known to show {x}",
)
_LAY = ("what people call {x}", "the finding known to patients as {x}", "what laypeople call {x}")
_OPENINGS = ("Name {x}.", "What is {x}?", "Identify {x}.")
#: Openings that ask in one breath instead of "Which gene is the gene ...".
_DIRECT: Mapping[str, tuple[str, ...]] = {
    "causes/shows": ("Which disease presents with {value} and is linked to {x}?",),
    "presents_in/shows": ("Which disease presents with {value} and with {x}?",),
    "caused_by": ("Which gene is mutated in {x}?", "Which gene causes {x}?", "Mutations in which gene cause {x}?"),
    "causes": ("Which disease is linked to {x}?", "Which condition is caused by {x}?"),
    "presents_in": ("Which disease presents with {x}?", "In which condition is {x} seen?"),
    "is_a": ("Of which broader finding is {x} a form?",),
    "causes/other": ("Which other disease is linked to {x}?", "Which other condition is caused by {x}?"),
    "presents_in/other": ("Which other disease presents with {x}?", "In which other condition is {x} seen?"),
}


#: Choices of steps that are drawn for a path: one of them may need every clue where another does not.
_DRAWS = 12


@dataclass(frozen=True, slots=True)
class Chain:
    """A valid path with the relations and formal steps that were chosen for it.

    `clues`: further findings that, with the anchor, single out the first disease. `lay`: the anchor's everyday name.
    """

    relations: tuple[Relation, ...]
    steps: tuple[Step, ...]
    clues: tuple[Relation, ...] = ()
    lay: str | None = None

    @property
    def query(self) -> Query:
        starts = (self.relations[0], *self.clues)
        return tuple(relation.subject.id for relation in starts), self.steps


Steps = Callable[[Relation, Sequence[Entity]], list[Step]]


def chains_along(graph: KnowledgeGraph, path: Sequence[Entity], rng: random.Random, steps: Steps) -> list[Chain]:
    """Chains along a valid path, with steps drawn for each hop from those that `steps` gives for it, each set once.

    None if a hop can only be narrowed by a finding that has to do with the rest of the path. Raises ValueError if the
    path is none.
    """
    relations: list[Relation] = []
    options: list[list[Step]] = []
    for end in range(1, len(path)):
        relation = graph.between(path[end - 1], path[end])
        if relation is None:
            raise ValueError(f"{path[end - 1].name} and {path[end].name} are not linked")
        given = steps(relation, path[:end])
        options.append([step for step in given if _stands_apart(graph, step, path, relation.object)])
        if not options[-1]:
            return []
        relations.append(relation)
    drawn = dict.fromkeys(tuple(map(rng.choice, options)) for _ in range(_DRAWS))
    return [Chain(tuple(relations), chosen) for chosen in drawn]


def _stands_apart(graph: KnowledgeGraph, step: Step, path: Sequence[Entity], disease: Entity) -> bool:
    """Whether the finding that narrows a step, if one does, touches the path nowhere else: it would be a short cut."""
    if step[1] != SHOWS:
        return True
    finding = graph.entities[step[2]]
    return all(
        finding is not each
        and not alike(finding.name, each.name)
        and graph.between(finding, each) is None
        and graph.between(each, finding) is None
        for each in path
        if each is not disease
    )


def compose(graph: KnowledgeGraph, chain: Chain, rng: random.Random) -> str:
    """The question's text, with templates drawn from `rng`."""
    names = [chain.lay or chain.relations[0].subject.name, *(clue.subject.name for clue in chain.clues)]
    phrase = names[0] if chain.lay is None else rng.choice(_LAY).format(x=names[0])
    visited = [relation.subject.id for relation in (chain.relations[0], *chain.clues)]
    for hop, (relation, step) in enumerate(zip(chain.relations, chain.steps, strict=True)):
        key, words = _key(graph, relation, step, visited)
        last = hop == len(chain.relations) - 1
        if hop == 0 and chain.clues:
            phrase = rng.choice(_TOGETHER).format(x=_enumerate(names))
        else:
            outer = rng.choice(_PHRASES[key])
            # Asking directly reads best; the long form stays for variety.
            if last and key in _DIRECT and rng.random() < 0.7:
                return _ask(rng.choice(_DIRECT[key]).format(x=phrase, **words))
            phrase = outer.format(x=phrase, **words)
        visited.append(relation.object.id)
    return _ask(rng.choice(_OPENINGS).format(x=phrase))


def _ask(text: str) -> str:
    return text[0].upper() + text[1:]


def _key(
    graph: KnowledgeGraph, relation: Relation, step: Step, visited: Sequence[str]
) -> tuple[str, Mapping[str, str]]:
    predicate, constraint, value = step
    passed = followers(graph, relation.subject, step) & set(visited)
    other = "/other" if passed and f"{predicate}/other" in {_bare(key) for key in _PHRASES} else ""
    key = f"{predicate}{other}" + (f"/{constraint}" if constraint else "")
    shown = graph.entities[value].name if constraint == SHOWS else value
    return key, {"value": shown, "range": RANGES.get(value, "")}


def _bare(key: str) -> str:
    return "/".join(part for part in key.split("/") if part not in (*CONSTRAINTS, SHOWS))


def _enumerate(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def lay_names(graph: KnowledgeGraph, phenotype: Entity) -> list[str]:
    """The everyday names of a finding that are its alone and do not give the medical one away."""
    term = graph.facts[phenotype.id].term
    return [
        lay
        for lay in (term.lay if term else ())
        if len(lay) <= 60
        and len(content(lay)) >= 2
        and not alike(lay, phenotype.name)
        and graph.lay_owners[normalise(lay)] == 1
        and set(lay).isdisjoint('";:()[]')
    ]


def _branches(graph: KnowledgeGraph, chain: Chain) -> tuple[Relation, ...]:
    narrowed = (
        (step[2], relation.object)
        for relation, step in zip(chain.relations, chain.steps, strict=True)
        if step[1] == SHOWS
    )
    found = (graph.between(graph.entities[finding], disease) for finding, disease in narrowed)
    return tuple(relation for relation in found if relation is not None)


def question_of(
    graph: KnowledgeGraph, chain: Chain, rng: random.Random, *, seed: int, split: Split, specialty: str
) -> Question:
    """The Question of a chain. Its id depends on the run's seed and the formal query alone."""
    text = compose(graph, chain, rng)
    answer = chain.relations[-1].object
    facts = graph.facts[answer.id]
    aliases = tuple(each for each in facts.aliases if normalise(each) != normalise(answer.name))
    anchors = (chain.lay or chain.relations[0].subject.name, *(clue.subject.name for clue in chain.clues))
    return Question(
        id=f"q{derive_seed(seed, chain.query, chain.lay):08x}",
        text=text,
        answer=answer.name,
        aliases=aliases,
        hops=len(chain.relations),
        specialty=specialty,
        split=split,
        relations=chain.relations,
        anchors=anchors,
        clues=chain.clues,
        branches=_branches(graph, chain),
        query=chain.query,
    )
