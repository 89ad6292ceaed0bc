"""The built-in teacher: acts from what the question names and the masked structure alone; it finds every entity with
the tools.

It is a generator of turns. Each turn it yields is sent back the observation that the environment gave:

    turns = teach(named(question), mask(question))
    text = next(turns);  text = turns.send(observation);  ...  until StopIteration

Its turns are short and alike on purpose: a small model has to learn them from some hundreds of trajectories. Each
thought says what is still to be found, so that the last hop is known to be the last:

    Need: disease, gene.    ->    Need: gene.    ->    FBN1 is the gene of Marfan syndrome.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field

from envs.tools.selector import ToolClass
from kisa.guidance import MaskedRelation
from kisa.names import normalise
from kisa.observations import Hit, is_complete, read_diagnosis, read_hits, read_lists
from kisa.query import CONSTRAINTS, SHOWS
from medrl.chat import render_answer, render_call
from medrl.types import Question, ToolCall

Turns = Generator[str, str, None]
#: The class of tool that the fitted choice prefers now; None where there is no such choice.
Prefers = Callable[[], ToolClass | None]


@dataclass(frozen=True, slots=True)
class Hop:
    """How one predicate is asked for: `query` for the search, `goal` for a reading, `labels` of the lists that answer.

    `target` is the kind that is found, as the thoughts call it; `mark` tells the subject's own document.
    """

    query: str
    goal: str
    labels: tuple[str, ...]
    target: str
    mark: str


HOPS = {
    "presents_in": Hop("{x} seen in", "diseases it is seen in", ("Seen in",), "disease", "finding"),
    "caused_by": Hop("{x} gene", "gene", ("Gene", "Genes"), "gene", "disease"),
    "causes": Hop("{x} diseases", "diseases", ("Diseases",), "disease", "gene"),
    "is_a": Hop("{x} a kind of", "what it is a kind of", ("A kind of",), "broader finding", "finding"),
}


@dataclass(frozen=True, slots=True)
class Named:
    """What a question's text names. `anchors`: what it begins with; `branches`: the findings that narrow later hops;
    `values`: organ systems and frequencies, in the order of their hops."""

    anchors: tuple[str, ...]
    branches: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


def named(question: Question) -> Named:
    """Read off the formal question; `proofs.flaw` has seen that all of it is in the text."""
    return Named(
        question.anchors,
        tuple(branch.subject.name for branch in question.branches),
        tuple(value for _, constraint, value in question.query[1] if constraint in CONSTRAINTS),
    )


@dataclass
class _Search:
    """What the teacher knows: the kinds it has yet to find, and the names it has met, both in order."""

    needs: list[str]
    met: list[str] = field(default_factory=list)

    @property
    def plan(self) -> str:
        """The thought that goes with a call."""
        return f"Need: {', '.join(self.needs)}."

    def new(self, names: Sequence[str]) -> list[str]:
        known = {normalise(name) for name in self.met}
        return [name for name in names if normalise(name) not in known]


def teach(said: Named, structure: Sequence[MaskedRelation], prefers: Prefers = lambda: None) -> Turns:
    """Turns that answer the question, or as many as there are until the teacher is stuck.

    The first entity is searched for; the documents of those found later are read by their name, unless `prefers` says
    otherwise. The last thought says which entity the answer belongs to, so the answer can be checked against that
    entity's document.
    """
    search = _Search(list(_needs(said.values, structure)), list(said.anchors))
    kind = ""
    branches = iter(said.branches)
    for masked in structure:
        predicate, _, constraint = masked.relation.partition("/")
        if predicate == "lay_term_of":
            found = yield from _plain_words(search)
        elif constraint == "all":
            found = yield from _together(search, said.anchors)
        elif predicate == "has_finding":
            found = yield from _read_finding(search)
        else:
            subject = search.met[-1]
            preferred = prefers() or ("medical" if subject in said.anchors else "general")
            ask = _search_for if preferred == "medical" else _read_about
            names = yield from ask(search, subject, HOPS[predicate])
            if constraint == SHOWS:
                names = yield from _shared(search, names, next(branches))
            found = _only_new(search, names)
        if found is None:
            return
        search.met.append(found)
        kind = search.needs.pop(0)
    subject, answer = search.met[-2:]
    yield render_answer(f"{answer} is the {kind} of {subject}.", answer)


def _needs(values: Sequence[str], structure: Sequence[MaskedRelation]) -> Iterator[str]:
    """What each hop is to find, as the thoughts call it."""
    left = iter(values)
    for masked in structure:
        predicate, _, _ = masked.relation.partition("/")
        if predicate == "has_finding":
            yield f"{next(left, '')} finding".strip()
        else:
            yield "medical term" if predicate == "lay_term_of" else HOPS[predicate].target


def _plain_words(search: _Search) -> Generator[str, str, str | None]:
    words = search.met[-1]
    observation = yield _call(search.plan, "web_search", query=words)
    for hit in read_hits(observation):
        said = [name for name in hit.listed("In everyday words") if normalise(name) == normalise(words)]
        if said:
            return hit.name
    return None


def _together(search: _Search, findings: Sequence[str]) -> Generator[str, str, str | None]:
    observation = yield render_call(search.plan, ToolCall("clinical_reasoning", {"findings": list(findings)}))
    return read_diagnosis(observation)


def _read_finding(search: _Search) -> Generator[str, str, str | None]:
    goal = f"{search.needs[0]}s"
    observation = yield _call(search.plan, "document_read", document=search.met[-1], goal=goal)
    wanted = goal.capitalize()
    for label, names in read_lists(_body(observation)):
        if label.partition(" (")[0] == wanted and is_complete(names):
            fresh = search.new(names)
            return fresh[0] if len(fresh) == 1 else None
    return None


def _search_for(search: _Search, subject: str, hop: Hop) -> Generator[str, str, tuple[str, ...]]:
    """Search; read the document that was found if its snippet does not hold the whole list."""
    query = hop.query.format(x=subject)
    observation = yield _call(search.plan, "medical_retriever", query=query)
    own = next((hit for hit in read_hits(observation) if _is_about(hit, subject, hop)), None)
    names = own.listed(*hop.labels) if own else ()
    if not is_complete(names):
        thought = "The list is cut. I read it." if names else "I read about it."
        names = yield from _read(thought, own.title if own else subject, hop)
    return names


def _read_about(search: _Search, subject: str, hop: Hop) -> Generator[str, str, tuple[str, ...]]:
    """Read the document by its name; search where that name is not one document's alone."""
    names = yield from _read(search.plan, subject, hop)
    return names or (yield from _search_for(search, subject, hop))


def _shared(search: _Search, names: tuple[str, ...], finding: str) -> Generator[str, str, tuple[str, ...]]:
    """Those of `names` that are also on the finding's own list; none where either list is not whole."""
    others = yield from _search_for(search, finding, HOPS["presents_in"])
    if not (is_complete(names) and is_complete(others)):
        return ()
    known = {normalise(each) for each in others}
    return tuple(each for each in names if normalise(each) in known)


def _read(thought: str, document: str, hop: Hop) -> Generator[str, str, tuple[str, ...]]:
    observation = yield _call(thought, "document_read", document=document, goal=hop.goal)
    lists = read_lists(_body(observation))
    return next((names for wanted in hop.labels for label, names in lists if label == wanted), ())


def _only_new(search: _Search, names: tuple[str, ...]) -> str | None:
    """The one name of a list that is shown whole and was not met before; None if there are none or several."""
    fresh = search.new(names) if is_complete(names) else []
    return fresh[0] if len(fresh) == 1 else None


def _is_about(hit: Hit, subject: str, hop: Hop) -> bool:
    mark = hit.mark if hit.mark in ("gene", "finding") else "disease"
    return mark == hop.mark and normalise(hit.name) == normalise(subject)


def _body(observation: str) -> str:
    """A document as text: what stands behind its title, where the tool prints one."""
    _, title, body = observation.partition("): ")
    return body if title else observation


def _call(thought: str, name: str, **arguments: str) -> str:
    return render_call(thought, ToolCall(name, arguments))
