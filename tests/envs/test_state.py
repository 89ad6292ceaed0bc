"""k_t and h_t: what is kept of each turn, and the rules of the statuses."""

from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.facts import ABSENT
from envs.state import conclude, frontier, hops_found, knowledge_graph, observe, read_step
from medrl.state import Candidate, Fact, State, Status
from medrl.types import Step, ToolCall


def search(query: str) -> ToolCall:
    return ToolCall("medical_retriever", {"query": query})


def differential(*findings: str) -> ToolCall:
    return ToolCall("clinical_reasoning", {"findings": list(findings)})


def fact(subject: str, predicate: str, named: str, source: str = "d") -> Fact:
    return Fact(subject, predicate, named, source)


SEEN = [fact("Pectus carinatum", "seen in", "Marfan syndrome"), fact("Pectus carinatum", "seen in", "Noonan syndrome")]
GENE = [fact("Marfan syndrome", "gene", "FBN1")]


def statuses(state: State) -> dict[str, Status]:
    return {each.name: each.status for each in state.hypotheses}


def reason(state: State, name: str) -> str:
    return next(each.reason for each in state.hypotheses if each.name == name)


def found() -> State:
    return observe(State(), 1, search("pectus carinatum seen in"), SEEN)


def followed() -> State:
    return observe(found(), 2, search("Marfan syndrome gene"), GENE)


def test_facts_are_kept_once_with_their_first_turn() -> None:
    state = observe(followed(), 3, search("again"), [*GENE, fact("marfan syndrome", "gene", "fbn1"), *GENE])
    assert [(each.object, each.turn) for each in state.facts] == [
        ("Marfan syndrome", 1),
        ("Noonan syndrome", 1),
        ("FBN1", 2),
    ]


def test_a_path_follows_what_was_found() -> None:
    assert found().paths == (("Pectus carinatum",),)
    assert frontier(found()) == ("Marfan syndrome", "Noonan syndrome")
    assert followed().paths == (("Pectus carinatum", "Marfan syndrome"),)
    assert frontier(followed()) == ("FBN1",) and hops_found(followed()) == 2


def test_a_path_branches_and_another_search_begins_another() -> None:
    other = observe(followed(), 3, search("Noonan syndrome gene"), [fact("Noonan syndrome", "gene", "PTPN11")])
    assert other.paths == (("Pectus carinatum", "Marfan syndrome"), ("Pectus carinatum", "Noonan syndrome"))
    new = observe(other, 4, search("Scoliosis"), [fact("Scoliosis", "a kind of", "Abnormal spine")])
    assert new.paths[-1] == ("Scoliosis",) and hops_found(new) == 2


def test_a_call_that_brings_nothing_on_its_subject_visits_nothing() -> None:
    state = observe(found(), 2, search("Marfan syndrome gene"), [fact("Other disease", "gene", "X1")])
    assert state.paths == found().paths and state.hypotheses == ()


def test_everyday_words_lead_to_what_they_mean() -> None:
    named = [fact("Pectus carinatum", "in everyday words", "Pigeon chest")]
    state = observe(State(), 1, ToolCall("web_search", {"query": "pigeon chest"}), named)
    assert state.paths == (("Pigeon chest",),) and frontier(state) == ("Pectus carinatum",)
    assert observe(state, 2, search("Pectus carinatum seen in"), SEEN).paths == (("Pigeon chest", "Pectus carinatum"),)


def test_held_what_is_found_and_asked_about() -> None:
    assert statuses(followed()) == {"Marfan syndrome": Status.HELD}
    assert reason(followed(), "Marfan syndrome") == "found at turn 1, asked about at turn 2"


def test_dropped_when_another_of_the_same_list_is_asked_about() -> None:
    state = observe(followed(), 3, search("Noonan syndrome gene"), [fact("Noonan syndrome", "gene", "PTPN11")])
    assert statuses(state) == {"Marfan syndrome": Status.DROPPED, "Noonan syndrome": Status.HELD}
    assert "Noonan syndrome, of the same list" in reason(state, "Marfan syndrome")


def ranked_twice() -> State:
    first = [Candidate("Marfan syndrome", 0.6), Candidate("Homocystinuria", 0.3)]
    state = observe(State(), 1, differential("Myopia"), [fact("Myopia", "suggests", "Marfan syndrome")], first)
    assert set(statuses(state).values()) == {Status.HELD}
    second = [Candidate("Homocystinuria", 0.9)]
    return observe(state, 2, differential("Myopia", "Seizure"), [fact("Seizure", "suggests", "Homocystinuria")], second)


def test_dropped_when_a_later_differential_leaves_it_out() -> None:
    state = ranked_twice()
    assert statuses(state) == {"Marfan syndrome": Status.DROPPED, "Homocystinuria": Status.HELD}
    assert reason(state, "Marfan syndrome") == "not ranked by the differential of turn 2"
    assert [each.probability for each in state.hypotheses] == [0.6, 0.9]


def test_held_again_when_a_differential_ranks_it_again() -> None:
    state = observe(ranked_twice(), 3, differential("Myopia"), [], [Candidate("Marfan syndrome", 0.5)])
    assert statuses(state) == {"Marfan syndrome": Status.HELD, "Homocystinuria": Status.DROPPED}


def test_dropped_when_it_lacks_what_was_asked_about() -> None:
    ranked = [Candidate("Marfan syndrome", 0.6)]
    state = observe(State(), 1, differential("Myopia"), [fact("Myopia", "suggests", "Marfan syndrome")], ranked)
    read = ToolCall("document_read", {"document": "Marfan syndrome", "goal": "absent"})
    other = observe(state, 2, read, [fact("Marfan syndrome", ABSENT, "Seizure", "OMIM:154700")])
    assert statuses(other) == {"Marfan syndrome": Status.HELD}  # nobody asked about seizures
    lacks = observe(state, 2, read, [fact("Marfan syndrome", ABSENT, "Myopia", "OMIM:154700")])
    assert statuses(lacks) == {"Marfan syndrome": Status.DROPPED}
    assert reason(lacks, "Marfan syndrome") == "OMIM:154700: Myopia is absent"


def test_confirmed_the_answer_that_a_fact_supports_and_what_led_to_it() -> None:
    state = conclude(followed(), 3, "FBN1")
    assert statuses(state) == {"Marfan syndrome": Status.CONFIRMED, "FBN1": Status.CONFIRMED}
    assert reason(state, "FBN1") == "the answer, shown at turn 2"
    assert state.paths == (("Pectus carinatum", "Marfan syndrome", "FBN1"),)


def test_an_answer_without_support_is_held_and_confirms_nothing() -> None:
    state = conclude(followed(), 3, "TGFBR2")
    assert statuses(state) == {"Marfan syndrome": Status.HELD, "TGFBR2": Status.HELD}
    assert "no observation supports" in reason(state, "TGFBR2") and state.paths == followed().paths
    assert conclude(followed(), 3, "  ") == followed()


def test_a_ranked_disease_keeps_its_probability_when_it_is_confirmed() -> None:
    state = conclude(ranked_twice(), 3, "homocystinuria")
    assert statuses(state)["homocystinuria"] is Status.CONFIRMED
    assert [each.probability for each in state.hypotheses] == [0.6, 0.9]


def test_the_graph_holds_every_fact() -> None:
    graph = knowledge_graph(followed())
    assert nx.has_path(graph, "Pectus carinatum", "FBN1") and graph.number_of_edges() == 3
    assert graph.edges["Marfan syndrome", "FBN1", "gene"] == {"source": "d", "turn": 2}


def test_what_was_cut_from_the_observation_is_not_known() -> None:
    """A name that stands elsewhere in what was shown makes no fact of a line that was not."""
    shown = "[1] FBN1 (gene): Diseases: Marfan syndrome.\n[2] Pectus carinatum (finding): Seen in: Noonan syn …"
    told, _ = read_step(Step("", search("FBN1"), shown, "ok", ("g", "p")), search("FBN1"))
    assert told == (fact("FBN1", "diseases", "Marfan syndrome", "g"),)
    cut = "1. Marfan syndrome (OMIM:1) P=0.60; Myopia 0.50\n2. Homocys …"
    call = differential("Myopia")
    told, ranked = read_step(Step("", call, cut, "ok", ("OMIM:1", "OMIM:2")), call)
    assert ranked == (Candidate("Marfan syndrome", 0.6),)
    assert told == (fact("Myopia", "suggests", "Marfan syndrome", "OMIM:1"),)


NAMES = st.sampled_from("abcdef")
TURNS = st.lists(
    st.tuples(NAMES, st.lists(st.builds(fact, NAMES, st.sampled_from(["gene", "seen in"]), NAMES), max_size=3)),
    max_size=8,
)


@pytest.mark.parametrize("answer", ["a", "z"])
@given(TURNS)
def test_invariants(answer: str, turns: list[tuple[str, list[Fact]]]) -> None:
    """Facts never vanish; every link of a path is a fact; a name has one status; an answer is confirmed exactly where a
    fact names it."""
    state = State()
    for number, (query, told) in enumerate(turns, start=1):
        before = state
        state = observe(state, number, search(query), told)
        assert state.facts[: len(before.facts)] == before.facts
    keys = [(each.subject, each.predicate, each.object) for each in state.facts]
    assert len(set(keys)) == len(keys) and set(keys) == {
        (f.subject, f.predicate, f.object) for _, t in turns for f in t
    }
    links = {(each.subject, each.object) for each in state.facts}
    state = conclude(state, len(turns) + 1, answer)
    for path in state.paths:
        assert len(set(path)) == len(path) and all(link in links for link in pairwise(path))
    names = [each.name for each in state.hypotheses]
    assert len(set(names)) == len(names)
    supported = any(answer in (each.subject, each.object) for each in state.facts)
    assert (statuses(state)[answer] is Status.CONFIRMED) == supported
