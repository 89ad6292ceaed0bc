import random
from dataclasses import replace

import pytest

from kisa.differential import clue_findings, with_clues
from kisa.graph import KnowledgeGraph
from kisa.guidance import MASK, mask
from kisa.names import occurs
from kisa.proofs import flaw, needless, shortcut
from kisa.query import answers
from kisa.questions import Chain, chains_along, lay_names, question_of
from medrl.types import Query, Question
from tests.kisa.chains import chain_along

LONGEST = ("HP:1000001", "OMIM:1", "NCBIGene:11", "OMIM:2", "HP:1000005")


def _question(graph: KnowledgeGraph, *identifiers: str, seed: int = 0, lay: str | None = None) -> Question:
    rng = random.Random(seed)
    chain = chain_along(graph, *identifiers, rng=rng)
    chain = Chain(chain.relations, chain.steps, lay=lay)
    return question_of(graph, chain, rng, seed=0, split="train", specialty="cardiology")


@pytest.mark.parametrize("hops", [2, 3, 4])
def test_every_wording_is_proved_and_keeps_the_chain_to_itself(graph: KnowledgeGraph, hops: int) -> None:
    texts = set()
    for seed in range(60):
        question = _question(graph, *LONGEST[: hops + 1], seed=seed)
        assert flaw(graph, question) is None
        assert question.hops == hops
        assert question.answer == graph.entities[LONGEST[hops]].name
        assert question.text[-1] in "?." and question.text[0].isupper()
        assert "{" not in question.text
        texts.add(question.text)
    assert len(texts) >= 10


def test_wording_says_other_where_the_path_came_past_one(graph: KnowledgeGraph) -> None:
    for seed in range(20):
        text = _question(graph, *LONGEST[:4], seed=seed).text
        assert " other " in text or " second " in text


def test_a_golden_question(graph: KnowledgeGraph) -> None:
    question = _question(graph, *LONGEST, seed=3)
    assert question.query == (
        ("HP:1000001",),
        (("presents_in", "", ""), ("caused_by", "", ""), ("causes", "", ""), question.query[1][3]),
    )
    assert question.query[1][3] in {
        ("has_finding", "organ_system", "cardiovascular"),
        ("has_finding", "frequency_class", "very rare"),
    }
    assert [entity.id for entity in question.entities] == list(LONGEST)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"text": "Which disease of AAA1 shows blue sclera?"}, "the text names AAA1"),
        ({"text": "Blue sclera, is it Disease, alpha?"}, "the text names Disease, alpha"),
        ({"text": "Which gene is it?"}, "the anchor Blue sclera is not in the text"),
        ({"hops": 3}, "another length"),
        ({"query": (("HP:1000002",), (("presents_in", "", ""), ("caused_by", "", "")))}, None),
        ({"query": (("HP:1000006",), (("presents_in", "", ""), ("caused_by", "", "")))}, "2 answers"),
    ],
)
def test_flaws_are_found(graph: KnowledgeGraph, change: dict[str, object], says: str | None) -> None:
    found = flaw(graph, replace(_question(graph, *LONGEST[:3]), **change))  # type: ignore[arg-type]
    assert found is None if says is None else found is not None and says in found


def test_lay_questions_name_the_finding_in_everyday_words_only(graph: KnowledgeGraph) -> None:
    sclera = graph.entities["HP:1000001"]
    (lay,) = lay_names(graph, sclera)
    assert lay == "Skyish whites of the eyes"
    question = _question(graph, *LONGEST[:3], lay=lay)
    assert flaw(graph, question) is None
    assert occurs(lay, question.text) and not occurs("Blue sclera", question.text)
    assert [masked.relation for masked in mask(question)] == ["lay_term_of", "presents_in", "caused_by"]
    assert lay_names(graph, graph.entities["HP:1000002"]) == []


def test_clues_single_out_one_disease(graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kisa.differential._FEWEST", 2)
    alpha = graph.entities["OMIM:1"]
    clues = clue_findings(graph, alpha, random.Random(0))
    assert {clue.subject.name for clue in clues} == {"Tall stature", "Long fingers"}
    rng = random.Random(0)
    alone = Chain(clues[:1], (("presents_in", "", ""),), clues[1:])
    question = question_of(graph, alone, rng, seed=0, split="train", specialty="cardiology")
    assert flaw(graph, question) is None and question.answer == "Alpha disease"
    chain = with_clues(chain_along(graph, alpha.id, "NCBIGene:11", rng=rng), clues)
    question = question_of(graph, chain, rng, seed=0, split="train", specialty="cardiology")
    assert question.hops == 2 and question.answer == "AAA1"
    assert flaw(graph, question) == "the clue Long fingers is not needed"  # tall stature alone leads to AAA1 as well
    assert set(question.anchors) == {"Tall stature", "Long fingers"}
    assert [masked.relation for masked in mask(question)] == ["presents_in/all", "caused_by"]
    assert clue_findings(graph, graph.entities["OMIM:3"], random.Random(0)) == ()


def test_a_hop_to_one_of_several_diseases_is_narrowed_by_a_finding(graph: KnowledgeGraph) -> None:
    for seed in range(8):
        rng = random.Random(seed)
        chain = chain_along(graph, "NCBIGene:11", "OMIM:2", rng=rng, narrow=True)
        assert chain.steps == (("causes", "shows", "HP:1000005"),)
        question = question_of(graph, chain, rng, seed=0, split="train", specialty="cardiology")
        assert flaw(graph, question) is None and question.answer == "Beta syndrome"
        assert occurs("AAA1", question.text) and occurs("Heart murmur", question.text)
        assert [branch.subject.name for branch in question.branches] == ["Heart murmur"]
        assert [masked.relation for masked in mask(question)] == ["causes/shows"]
        assert flaw(graph, replace(question, text=question.text.replace("Heart murmur", "it"))) is not None


def test_a_narrowing_finding_stands_with_the_disease_that_shows_it(graph: KnowledgeGraph) -> None:
    """Behind "the gene that causes Alpha disease" it would speak of that disease."""
    rng = random.Random(0)
    chain = chain_along(graph, "OMIM:1", "NCBIGene:11", "OMIM:2", rng=rng, narrow=True)
    narrowed = Chain(chain.relations, (chain.steps[0], ("causes", "shows", "HP:1000005")))
    texts = {
        question_of(graph, narrowed, random.Random(seed), seed=0, split="train", specialty="cardiology").text
        for seed in range(40)
    }
    assert all(text.index("Heart murmur") < text.index("Alpha disease") for text in texts) and len(texts) > 5


def test_a_finding_that_leads_to_the_answer_alone_is_refused(graph: KnowledgeGraph) -> None:
    """Of the diseases with a heart murmur one is tall as well; but whoever is tall has the gene AAA1."""
    query: Query = (("HP:1000005",), (("presents_in", "shows", "HP:1000002"), ("caused_by", "", "")))
    assert answers(graph, query) == {"NCBIGene:11"}
    assert "Tall stature, which leads to the answer alone" in (needless(graph, query, "NCBIGene:11") or "")


def test_a_finding_that_touches_the_rest_of_the_path_narrows_nothing(graph: KnowledgeGraph) -> None:
    """Heart murmur is on Gamma's list too: named in the question, it would lead there past the chain."""
    path = [graph.entities[each] for each in ("NCBIGene:11", "OMIM:2")]
    step = ("causes", "shows", "HP:1000005")
    assert len(chains_along(graph, path, random.Random(0), lambda relation, before: [step])) == 1
    longer = [*path, graph.entities["HP:1000005"]]
    assert chains_along(graph, longer, random.Random(0), lambda relation, before: [step]) == []


def test_a_short_cut_from_any_named_entity_is_found(graph: KnowledgeGraph) -> None:
    sound = _question(graph, "HP:1000001", "OMIM:1", "NCBIGene:11", "OMIM:2")
    assert shortcut(graph, sound) is None
    gene = graph.between(graph.entities["OMIM:1"], graph.entities["NCBIGene:11"])
    assert gene is not None
    detour = replace(sound, relations=(*sound.relations[:1], *sound.relations[:2]), hops=3)  # AAA1, by three hops
    assert shortcut(graph, detour) == "AAA1 is fewer than 3 hops from Blue sclera"
    beside = replace(sound, relations=(*sound.relations[1:], sound.relations[1]), clues=(sound.relations[0],), hops=3)
    assert shortcut(graph, beside) == "AAA1 is fewer than 3 hops from Alpha disease"


def test_the_mask_leaks_no_name(graph: KnowledgeGraph) -> None:
    names = [entity.name for entity in graph.entities.values()]
    names += [alias for facts in graph.facts.values() for alias in facts.aliases]
    for hops in (2, 3, 4):
        for seed in range(10):
            masked = mask(_question(graph, *LONGEST[: hops + 1], seed=seed))
            assert len(masked) == hops
            assert all((each.subject, each.object) == (MASK, MASK) for each in masked)
            shown = " ".join(" ".join(each) for each in masked)
            assert not any(occurs(name, shown) for name in names)
