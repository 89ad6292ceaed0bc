"""P(t | s_t, q): φ, the fit, and what is done with both."""

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.react import ReactEnv
from envs.retrieval.index import Index
from envs.state import replay
from envs.tools.base import Tool
from envs.tools.selector import (
    FEATURES,
    Advisor,
    Decision,
    MedicalVocabulary,
    Selector,
    ToolChoice,
    decisions,
    features,
    fit,
    read_question,
)
from medrl.chat import ChatCodec, render_answer, render_call
from medrl.errors import ConfigError, DataError
from medrl.records import write_json
from medrl.sections.episodes import EnvConfig
from medrl.state import State
from medrl.types import Step, ToolCall
from tests.fakes import FakeTool, question
from tests.tiny import tiny_tokenizer

TEXT = "Which gene is mutated in the disease that presents with Pectus carinatum and with Ectopia lentis?"
SEEN = "[1] Pectus carinatum (finding): Seen in: Marfan syndrome; Achondroplasia."
ZERO = (0.0,) * len(FEATURES)


@pytest.fixture(scope="module")
def vocabulary(index: Index) -> MedicalVocabulary:
    return MedicalVocabulary(index)


def step(tool: str, asked: str, observation: str, *sources: str, status: str = "ok") -> Step:
    return Step("…", ToolCall(tool, {"query": asked}), observation, "mistake" if status == "mistake" else "ok", sources)


def phi(vocabulary: MedicalVocabulary, steps: list[Step], text: str = TEXT) -> dict[str, float]:
    return dict(zip(FEATURES, features(text, replay(steps)[-1], steps, vocabulary), strict=True))


SEARCHED = step("medical_retriever", "Pectus carinatum seen in", SEEN, "HP:0000768")
READ = step("document_read", "Marfan syndrome", "Marfan syndrome (OMIM:154700): Gene: FBN1.", "OMIM:154700")


def test_a_question_is_read_as_names_and_hops(vocabulary: MedicalVocabulary) -> None:
    asked = read_question(TEXT, vocabulary)
    assert asked.names == ("Pectus carinatum", "Ectopia lentis") and asked.hops == 2
    lay = read_question("Which gene causes the disease that presents with what people call Pigeon chest?", vocabulary)
    assert lay.names == () and lay.hops == 3 and lay.share < asked.share


def test_phi_follows_the_episode(vocabulary: MedicalVocabulary) -> None:
    first, searched = phi(vocabulary, []), phi(vocabulary, [SEARCHED])
    assert (first["first_call"], first["name_at_hand"], first["names_left"]) == (1.0, 0.0, 1.0)
    assert (searched["first_call"], searched["name_at_hand"], searched["names_left"]) == (0.0, 1.0, 0.5)
    assert searched["hops_left"] == first["hops_left"] / 2 > 0.0 and searched["medical_terms"] == 1.0
    read = phi(vocabulary, [SEARCHED, READ])
    assert (read["hops_left"], read["all_found"], searched["all_found"]) == (0.0, 1.0, 0.0)


def test_phi_sees_what_went_wrong(vocabulary: MedicalVocabulary) -> None:
    failed = phi(vocabulary, [step("document_read", "x", "no document", status="mistake")])
    assert (failed["last_failed"], failed["last_empty"]) == (1.0, 0.0)
    again = phi(vocabulary, [SEARCHED, SEARCHED])
    assert (again["last_failed"], again["last_empty"]) == (0.0, 1.0)
    assert phi(vocabulary, [SEARCHED])["last_empty"] == 0.0


def test_a_rarer_name_is_rarer(vocabulary: MedicalVocabulary) -> None:
    common = "Which gene is mutated in Marfan syndrome?"
    rare = "Which gene is mutated in Wolf-Hirschhorn syndrome?"
    assert 0.0 < phi(vocabulary, [], common)["rarity"] < phi(vocabulary, [], rare)["rarity"] < 1.0
    assert phi(vocabulary, [], "Which gene is mutated in Zzyzx?")["rarity"] == 1.0


def test_words_that_nobody_knows_are_everyday_words(vocabulary: MedicalVocabulary) -> None:
    asked = phi(vocabulary, [], "What do people call Pigeon chest?")
    assert (asked["nothing_named"], asked["names_left"], asked["medical_terms"]) == (1.0, 1.0, 0.0)


@given(
    st.text(max_size=80),
    st.lists(st.sampled_from([SEARCHED, READ, step("web_search", "x", "No results.")]), max_size=9),
)
@settings(max_examples=50)
def test_phi_is_within_its_range(vocabulary: MedicalVocabulary, text: str, steps: list[Step]) -> None:
    values = phi(vocabulary, steps, text or "?")
    assert all(math.isfinite(each) and 0.0 <= each <= 1.0 for each in values.values())


def test_decisions_are_calls_and_answers(vocabulary: MedicalVocabulary) -> None:
    malformed, other = Step("?", None, "not read", "malformed"), step("calculator", "x", "3")
    made = decisions(TEXT, [SEARCHED, malformed, other, READ, Step("a", None, "", "answer")], vocabulary)
    assert [each.called for each in made] == ["medical", "general", None]
    assert made[0].features == features(TEXT, State(), [], vocabulary)


def oracle_loss(weights: tuple[float, ...], made: list[Decision], called: str, l2: float) -> float:
    """Σ log-loss + l2/2·|w|², a term at a time; the constant's weight is as good as free."""
    loss = 0.0
    for each in made:
        z = sum(w * x for w, x in zip(weights, each.features, strict=True))
        p = 1.0 / (1.0 + math.exp(-z))
        loss -= math.log(p) if each.called == called else math.log(1.0 - p)
    return loss + l2 / 2 * sum(w * w for w in weights[1:]) + 1e-6 / 2 * weights[0] ** 2


def random_decisions(seed: int, count: int = 200) -> list[Decision]:
    """Whose class depends on the second and third feature, and on chance."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        x = (1.0, *rng.random(len(FEATURES) - 1).round(3).tolist())
        p = 1.0 / (1.0 + math.exp(-(4.0 * x[1] - 3.0 * x[2])))
        made.append(Decision(x, "medical" if rng.random() < p else "general" if rng.random() < 0.5 else None))
    return made


@pytest.mark.parametrize("l2", [0.1, 1.0, 10.0])
def test_the_fit_is_the_minimum(l2: float) -> None:
    """No small step in any direction lowers the loss, summed slowly."""
    made = random_decisions(0)
    fitted = fit(made, l2)
    for called, weights in (("medical", fitted.medical), ("general", fitted.general)):
        best = oracle_loss(weights, made, called, l2)
        for place in range(len(FEATURES)):
            for step_size in (-0.01, 0.01):
                moved = tuple(w + step_size * (n == place) for n, w in enumerate(weights))
                assert oracle_loss(moved, made, called, l2) > best


def test_the_fit_finds_what_the_class_depends_on_and_repeats_itself() -> None:
    made = random_decisions(1, 3000)
    fitted = fit(made)
    assert fitted == fit(made) and fitted.decisions == 3000
    assert fitted.medical[1] == pytest.approx(4.0, abs=0.8) and fitted.medical[2] == pytest.approx(-3.0, abs=0.8)
    assert all(abs(each) < 0.8 for each in fitted.medical[3:])


def test_a_class_that_is_always_or_never_called_has_a_fit() -> None:
    made = [Decision(each.features, "medical") for each in random_decisions(2, 50)]
    given = fit(made).probabilities(made[0].features)
    assert given.medical > 0.99 and given.general < 0.01
    with pytest.raises(DataError, match="no episodes that succeeded"):
        fit([])


def test_probabilities_are_the_papers(index: Index) -> None:
    selector = Selector(medical=(2.0, *ZERO[1:]), general=(-1.0, *ZERO[1:]), decisions=1)
    given = selector.probabilities((1.0, *ZERO[1:]))
    assert given == pytest.approx((1 / (1 + math.exp(-2.0)), 1 / (1 + math.exp(1.0))))
    assert given.of("medical_retriever") == given.of("clinical_reasoning") == given.medical
    assert given.of("web_search") == given.of("document_read") == given.general
    assert given.of("calculator") is None and given.preferred == "medical"


def test_weights_come_back_and_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tool_choice.json"
    fitted = fit(random_decisions(3))
    fitted.save(path)
    assert Selector.load(path) == fitted
    write_json(path, fitted.model_dump() | {"features": ["constant", *FEATURES[2:], "luck"]})
    with pytest.raises(DataError, match="fitted to other features"):
        Selector.load(path)
    path.write_text("{}")
    with pytest.raises(DataError, match="medical"):
        Selector.load(path)
    with pytest.raises(ConfigError, match="No such file"):
        Selector.load(tmp_path / "none.json")


CONSTANT = Selector(medical=(2.0, *ZERO[1:]), general=(-1.0, *ZERO[1:]), decisions=1)


def play(vocabulary: MedicalVocabulary, *, hint: bool, advised: bool = True) -> tuple[ReactEnv, ChatCodec]:
    codec = ChatCodec(tiny_tokenizer())
    tools: dict[str, Tool] = {"medical_retriever": FakeTool({"a": "see b"})}
    limits = EnvConfig(tool_hint=hint, max_turn_tokens=400, observation_tokens=100)
    advisor = Advisor(CONSTANT, vocabulary) if advised else None
    env = ReactEnv(question(), tools, codec, limits, 4000, advisor=advisor)
    asyncio.run(env.act(codec.encode_action(render_call("look", ToolCall("medical_retriever", {"query": "a"})))))
    asyncio.run(env.act(codec.encode_action(render_answer("done", "FBN1"))))
    return env, codec


def test_the_policy_is_told_before_each_turn_behind_the_tools_response(vocabulary: MedicalVocabulary) -> None:
    env, codec = play(vocabulary, hint=True)
    text = codec.tokenizer.decode(env.token_ids)
    hint = ToolChoice(1 / (1 + math.exp(-2.0)), 1 / (1 + math.exp(1.0))).hint
    assert hint == "Next tool: medical 0.88, general 0.27."
    assert text.count(hint) == 2 and f"</tool_response>\n{hint}" in text and f"carinatum?\n{hint}" in text
    assert env.steps[0].observation == "see b"  # or an observation seen before would look new


def test_what_the_policy_is_not_told_is_kept_with_its_step(vocabulary: MedicalVocabulary) -> None:
    env, codec = play(vocabulary, hint=False)
    assert "Next tool" not in codec.tokenizer.decode(env.token_ids)
    assert env.steps[0].choice == pytest.approx(1 / (1 + math.exp(-2.0))) and env.steps[1].choice is None
    plain, _ = play(vocabulary, hint=True, advised=False)
    assert plain.token_ids == env.token_ids and plain.steps[0].choice is None
