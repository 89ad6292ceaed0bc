"""Keep k_t and h_t turn by turn: pure functions from one `State` to the next.

Facts are kept once, with the first turn that showed them. Paths and hypotheses follow these rules:

    visited    an entity that a call names, and of which its observation says something
    path       a visited entity continues the path of the one that it was found with, else it begins one
    held       a visited entity that was found before; what a differential ranks; an answer without support
    dropped    a held one, when a later differential leaves it out; when a fact says that it lacks a finding which was
               asked about; when another one of the same list is visited instead
    confirmed  the answer, if a fact has it as subject or object, and what stands before it on its path
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import networkx as nx

from envs.facts import ABSENT, NAMING, ranking, read_facts
from medrl.normal import mentions, normalise
from medrl.state import Candidate, Fact, Hypothesis, State, Status
from medrl.types import Step, ToolCall


def observe(state: State, turn: int, call: ToolCall, told: Sequence[Fact], ranked: Sequence[Candidate] = ()) -> State:
    """The state after a call, number `turn` of the episode from 1, whose observation showed `told` and `ranked`."""
    asked = "\n".join(_texts(call.arguments.values()))
    known = set(map(_key, state.facts))
    fresh = {key: replace(fact, turn=turn) for fact in reversed(told) if (key := _key(fact)) not in known}
    hypotheses = {normalise(each.name): each for each in state.hypotheses}
    paths = list(state.paths)
    for name in _visited(asked, told):
        before = _found_with(state.facts, name)
        if before and not _on(paths, name):
            _drop_siblings(hypotheses, before, state.facts, name, turn)
            found = min(fact.turn for fact in before)
            reason = f"found at turn {found}, asked about at turn {turn}"
            _set(hypotheses, Hypothesis(name, Status.HELD, reason, turn))
        paths = _extended(paths, before, name)
    _rank(hypotheses, ranked, turn)
    _contradict(hypotheses, told, paths, turn)
    return State((*state.facts, *reversed(fresh.values())), tuple(hypotheses.values()), tuple(paths))


def conclude(state: State, turn: int, answer: str) -> State:
    """The state after the answer, given at `turn`."""
    if not normalise(answer):
        return state
    before = _found_with(state.facts, answer)
    is_supported = bool(before) or any(_same(fact.subject, answer) for fact in state.facts)
    paths = _extended(list(state.paths), before, answer) if is_supported else list(state.paths)
    hypotheses = {normalise(each.name): each for each in state.hypotheses}
    if not is_supported:
        reason = "the answer, which no observation supports"
        _set(hypotheses, Hypothesis(answer, Status.HELD, reason, turn))
        return replace(state, hypotheses=tuple(hypotheses.values()))
    path = next(each for each in paths if _on([each], answer))
    way = path[: [normalise(name) for name in path].index(normalise(answer))]
    for name in way:
        if normalise(name) in hypotheses:
            _set(hypotheses, Hypothesis(name, Status.CONFIRMED, "on the way to the answer", turn))
    shown = min(fact.turn for fact in state.facts if _same(fact.object, answer) or _same(fact.subject, answer))
    _set(hypotheses, Hypothesis(answer, Status.CONFIRMED, f"the answer, shown at turn {shown}", turn))
    return State(state.facts, tuple(hypotheses.values()), tuple(paths))


def replay(steps: Sequence[Step], answer: str | None = None) -> list[State]:
    """The states before each step and after the last, from the texts of an episode; `len(steps) + 1` of them."""
    states = [State()]
    for turn, step in enumerate(steps, start=1):
        states.append(states[-1])
        if step.status == "ok" and step.call is not None:
            told, ranked = read_step(step, step.call)
            states[-1] = observe(states[-1], turn, step.call, told, ranked)
        elif step.status == "answer" and answer is not None:
            states[-1] = conclude(states[-1], turn, answer)
    return states


def frontier(state: State) -> tuple[str, ...]:
    """What was found with the end of the longest path and is on no path yet: where the search may go next."""
    if not state.paths:
        return ()
    end = max(reversed(state.paths), key=len)[-1]
    links = [link for fact in state.facts for link in _links(fact) if _same(link[0], end)]
    return tuple(dict.fromkeys(name for _, name in links if not _on(state.paths, name)))


def is_visited(state: State, name: str) -> bool:
    """Whether a call named it and brought something on it."""
    return _on(state.paths, name)


def hops_found(state: State) -> int:
    """Hops that the tools have answered: entities on the longest path."""
    return max(map(len, state.paths), default=0)


def knowledge_graph(state: State) -> nx.MultiDiGraph:
    """k_t as a graph: entities, and an edge a fact with its predicate, source and turn."""
    graph = nx.MultiDiGraph()
    for fact in state.facts:
        graph.add_edge(fact.subject, fact.object, fact.predicate, source=fact.source, turn=fact.turn)
    return graph


def read_step(step: Step, call: ToolCall) -> tuple[tuple[Fact, ...], tuple[Candidate, ...]]:
    """Facts and differential of a call, from what its observation showed."""
    if "findings" not in call.arguments:
        return read_facts(step.observation, step.sources), ()
    read = ranking(step.observation, list(_texts(call.arguments["findings"])), step.sources)
    return read["facts"], read["hypotheses"]


def _texts(values: Iterable[object]) -> Iterable[str]:
    """The strings among the values, and in lists among them."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | tuple):
            yield from _texts(value)


def _key(fact: Fact) -> tuple[str, str, str]:
    return normalise(fact.subject), fact.predicate, normalise(fact.object)


def _same(one: str, other: str) -> bool:
    return normalise(one) == normalise(other)


def _on(paths: Iterable[Sequence[str]], name: str) -> bool:
    return any(_same(each, name) for path in paths for each in path)


def _visited(asked: str, told: Sequence[Fact]) -> list[str]:
    """Names in the call of which the observation says something: facts, or which entity is called so."""
    names = [fact.object if fact.predicate in NAMING else fact.subject for fact in told]
    return [name for name in dict.fromkeys(names) if mentions(asked, name)]


def _links(fact: Fact) -> list[tuple[str, str]]:
    """(from, to) as a path may go along the fact: another name leads to the entity that is called so."""
    return [(fact.object, fact.subject)] if fact.predicate in NAMING else [(fact.subject, fact.object)]


def _found_with(facts: Sequence[Fact], name: str) -> list[Fact]:
    return [fact for fact in facts if any(_same(end, name) for _, end in _links(fact))]


def _extended(paths: list[tuple[str, ...]], before: Sequence[Fact], name: str) -> list[tuple[str, ...]]:
    """The paths with `name` on one of them: behind what it was found with, which may begin a branch."""
    if _on(paths, name):
        return paths
    origins = {normalise(start) for fact in before for start, _ in _links(fact)}
    for place in sorted(range(len(paths)), key=lambda place: -len(paths[place])):
        path = paths[place]
        at = max((at for at, each in enumerate(path) if normalise(each) in origins), default=None)
        if at is None:
            continue
        longer = (*path[: at + 1], name)
        return [*paths[:place], longer, *paths[place + 1 :]] if at == len(path) - 1 else [*paths, longer]
    return [*paths, (name,)]


def _set(hypotheses: dict[str, Hypothesis], new: Hypothesis) -> None:
    """Put it in the place of the one of its name, whose probability it keeps."""
    old = hypotheses.get(normalise(new.name))
    hypotheses[normalise(new.name)] = new if old is None else replace(new, probability=old.probability)


def _drop_siblings(
    hypotheses: dict[str, Hypothesis], before: Sequence[Fact], facts: Sequence[Fact], name: str, turn: int
) -> None:
    lists = {(normalise(fact.subject), fact.predicate) for fact in before}
    listed = {normalise(fact.object) for fact in facts if (normalise(fact.subject), fact.predicate) in lists}
    for key, old in hypotheses.items():
        if key in listed and key != normalise(name) and old.status is Status.HELD:
            reason = f"{name}, of the same list, is asked about instead"
            hypotheses[key] = replace(old, status=Status.DROPPED, reason=reason, turn=turn)


def _rank(hypotheses: dict[str, Hypothesis], ranked: Sequence[Candidate], turn: int) -> None:
    if not ranked:
        return
    for key, old in hypotheses.items():
        if old.probability is not None and old.status is Status.HELD:
            reason = f"not ranked by the differential of turn {turn}"
            hypotheses[key] = replace(old, status=Status.DROPPED, reason=reason, turn=turn)
    for place, each in enumerate(ranked, start=1):
        reason = f"number {place} of the differential of turn {turn}"
        hypotheses[normalise(each.name)] = Hypothesis(each.name, Status.HELD, reason, turn, each.probability)


def _contradict(
    hypotheses: dict[str, Hypothesis], told: Sequence[Fact], paths: Sequence[Sequence[str]], turn: int
) -> None:
    for fact in told:
        old = hypotheses.get(normalise(fact.subject))
        if fact.predicate == ABSENT and old is not None and old.status is Status.HELD and _on(paths, fact.object):
            reason = f"{fact.source}: {fact.object} is absent"
            hypotheses[normalise(fact.subject)] = replace(old, status=Status.DROPPED, reason=reason, turn=turn)
