"""The posterior against a scalar oracle; context, evidence, names; what the policy is shown."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.profiles import ProfileTable
from envs.text import estimate_tokens
from envs.tools.clinical_reasoning import (
    BACKGROUND_FLOOR,
    BACKGROUND_SHARE,
    CONTRADICTED,
    PRIOR_PATIENTS,
    UNSTATED,
    ClinicalReasoning,
    ClinicalReasoningEngine,
    Context,
    Observation,
    Posterior,
    UnknownFinding,
)
from tests.envs.small import FINDINGS, PROFILES
from tests.oracles_retrieval import posterior

IDS = [finding.id for finding in FINDINGS]


@pytest.fixture(scope="module")
def engine(table: ProfileTable) -> ClinicalReasoningEngine:
    return ClinicalReasoningEngine(table)


def by_id(result: Posterior) -> dict[str, float]:
    return {each.disease_id: each.probability for each in result.top(len(PROFILES))}


def assert_same(result: Posterior, expected: dict[str, float]) -> None:
    found = by_id(result)
    assert found.keys() == expected.keys()
    for disease, probability in expected.items():
        assert math.isclose(found[disease], probability, rel_tol=1e-9, abs_tol=1e-300)


@given(findings=st.lists(st.sampled_from(IDS), unique=True), kept=st.sets(st.integers(0, 3), min_size=1))
def test_posterior_is_bayes_rule(engine: ClinicalReasoningEngine, findings: list[str], kept: set[int]) -> None:
    everything = posterior(findings, PROFILES, BACKGROUND_SHARE, BACKGROUND_FLOOR)
    assert_same(engine.posterior(findings), everything)
    # Among fewer candidates: the same odds, normalised again; backgrounds still over all diseases.
    chosen = [PROFILES[number].id for number in sorted(kept)]
    total = sum(everything[disease] for disease in chosen)
    assert_same(engine.posterior(findings, chosen), {disease: everything[disease] / total for disease in chosen})


def test_order_and_repetition_of_findings_change_nothing(engine: ClinicalReasoningEngine) -> None:
    once = by_id(engine.posterior(["Ectopia lentis", "Arachnodactyly"]))
    again = by_id(engine.posterior(["HP:0001166", "dislocated LENS", "ectopia lentis", "Spider fingers"]))
    assert again == pytest.approx(once, rel=1e-12)


def test_factors_too_small_to_multiply_do_not_underflow(engine: ClinicalReasoningEngine) -> None:
    """Two findings, each with P near 1e-300 everywhere: their product is 0 as a float, yet the posterior sums to 1."""
    seen = tuple(
        Observation(profile.id, finding, 0, 10**300 * (number + 1), "PMID:9")
        for finding in ("Seizure", "Arachnodactyly")
        for number, profile in enumerate(PROFILES)
    )
    found = by_id(engine.posterior(["Seizure", "Arachnodactyly"], context=Context(observations=seen)))
    assert sum(found.values()) == pytest.approx(1.0)
    given = {profile.id: dict(profile.findings) for profile in PROFILES}
    background = {"HP:0001250": BACKGROUND_SHARE * 1.2 / 4, "HP:0001166": BACKGROUND_SHARE * 0.9 / 4}
    joint = {
        profile.id: profile.prior
        * math.prod(max(given[profile.id].get(f, (0.0,))[0], low) / (number + 1) for f, low in background.items())
        for number, profile in enumerate(PROFILES)
    }
    assert found == pytest.approx({disease: value / sum(joint.values()) for disease, value in joint.items()}, rel=1e-9)


def test_context_weighs_the_prior(engine: ClinicalReasoningEngine) -> None:
    inherited = {"OMIM:154700": 1.0, "OMIM:236200": CONTRADICTED, "DECIPHER:1": UNSTATED, "OMIM:100800": UNSTATED}
    expected = posterior(["HP:0001083"], PROFILES, BACKGROUND_SHARE, BACKGROUND_FLOOR, inherited)
    context = Context(inheritance="Autosomal dominant inheritance")
    assert_same(engine.posterior(["HP:0001083"], context=context), expected)
    onset = dict.fromkeys(inherited, UNSTATED) | {"OMIM:154700": 1.0}
    expected = posterior([], PROFILES, BACKGROUND_SHARE, BACKGROUND_FLOOR, onset)
    assert_same(engine.posterior([], context=Context(onset="Childhood onset")), expected)


def test_new_evidence_updates_one_conditional(engine: ClinicalReasoningEngine) -> None:
    seen = Observation("OMIM:154700", "Ectopia lentis", 1, 18, "PMID:9")
    before, after = (
        engine.posterior(["HP:0001083"]),
        engine.posterior(["HP:0001083"], context=Context(observations=(seen,))),
    )
    marfan = next(each for each in after.top(4) if each.disease_id == "OMIM:154700")
    pooled = (PRIOR_PATIENTS * 0.6 + 1) / (PRIOR_PATIENTS + 18)
    assert marfan.likelihoods[0].probability == pytest.approx(pooled)
    assert marfan.likelihoods[0].source == "PMID:1 6/10; PMID:9 1/18"
    ratio = by_id(before)["OMIM:236200"] / by_id(before)["DECIPHER:1"]
    assert by_id(after)["OMIM:236200"] / by_id(after)["DECIPHER:1"] == pytest.approx(ratio)
    assert by_id(engine.posterior(["HP:0001083"])) == by_id(before)  # nothing was kept


def test_every_factor_has_its_source(engine: ClinicalReasoningEngine) -> None:
    best = engine.posterior(["Arachnodactyly", "Seizure"]).top(1)[0]
    assert best.disease_id == "DECIPHER:1" and best.prior == pytest.approx(0.5)
    assert [(each.finding, each.source) for each in best.likelihoods] == [
        ("Arachnodactyly", "not annotated, background"),
        ("Seizure", "PMID:5 7/7"),
    ]
    floored = next(each for each in engine.posterior(["Pectus carinatum"]).top(4) if each.disease_id == "OMIM:100800")
    assert floored.likelihoods[0].probability == pytest.approx(BACKGROUND_SHARE * (0.3 + 0.00005) / 4)


def test_names_that_fit_nothing_or_too_much(engine: ClinicalReasoningEngine) -> None:
    with pytest.raises(UnknownFinding, match="'Pigon chest'; nearest: Pigeon chest"):
        engine.posterior(["Pigon chest"])
    with pytest.raises(UnknownFinding, match="may mean Seizure; Convulsive fit"):
        engine.posterior(["fit"])
    with pytest.raises(KeyError):
        engine.posterior(["Seizure"], ["OMIM:999"])


def call(engine: ClinicalReasoningEngine, findings: list[str], limit: int = 150) -> tuple[str, tuple[str, ...], bool]:
    result = asyncio.run(ClinicalReasoning(engine, limit).call({"findings": findings}))
    return result.text, result.sources, result.is_mistake


def test_what_the_policy_is_shown(engine: ClinicalReasoningEngine) -> None:
    names = ["Ectopia lentis", "Pigeon chest"]
    text, sources, is_mistake = call(engine, names)
    first = text.splitlines()[0]
    expected = posterior(["HP:0001083", "HP:0000768"], PROFILES, BACKGROUND_SHARE, BACKGROUND_FLOOR)["OMIM:154700"]
    assert "Ectopia lentis 0.60 (PMID:1 6/10); Pectus carinatum 0.30 (PMID:2 3/10)" in call(engine, names, 400)[0]
    assert first.startswith(f"1. Marfan syndrome (OMIM:154700) P={expected:.2f}; Ectopia lentis 0.60")
    assert "Pectus carinatum 0.30" in first and sources[0] == "OMIM:154700" and len(sources) == 3 and not is_mistake


@pytest.mark.parametrize("limit", [100, 150])
def test_text_keeps_to_the_limit(engine: ClinicalReasoningEngine, limit: int) -> None:
    text, _, _ = call(engine, ["Ectopia lentis", "Pectus carinatum", "Arachnodactyly", "Seizure"], limit)
    assert len(text.splitlines()) == 3 and estimate_tokens(text) <= limit + 6


def test_unknown_finding_is_a_mistake_that_helps(engine: ClinicalReasoningEngine) -> None:
    text, sources, is_mistake = call(engine, ["Ectopia lentis", "Siezure"])
    assert is_mistake and sources == () and "nearest: Seizure" in text
