"""The posterior against a scalar oracle, with context, denial, hierarchy and evidence; what holds whatever the data."""

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.corpus import DiseaseProfile, FindingName
from envs.profiles import ProfileTable
from envs.reasoning.conditionals import ABSENT_PATIENTS, BACKGROUND_SHARE, CEILING, NAMED_BROADER, NARROWER_SHARE
from envs.reasoning.context import CONTRADICTED, UNSTATED, BadContext, Context
from envs.reasoning.engine import ClinicalReasoningEngine, UnknownFinding
from envs.reasoning.evidence import PRIOR_PATIENTS, Observation
from envs.reasoning.posterior import Posterior
from tests.envs.reasoning.family import CONSTANTS, World, worlds
from tests.envs.small import FINDINGS, PROFILES
from tests.oracles_diagnosis import Counted, DiagnosisOracle

EngineOf = Callable[[World], ClinicalReasoningEngine]


@pytest.fixture(scope="module")
def engine(table: ProfileTable) -> ClinicalReasoningEngine:
    return ClinicalReasoningEngine(table)


@pytest.fixture(scope="module")
def engine_of(tmp_path_factory: pytest.TempPathFactory) -> EngineOf:
    folder = tmp_path_factory.mktemp("worlds")
    return lambda world: ClinicalReasoningEngine(world.table(folder))


def by_id(result: Posterior) -> dict[str, float]:
    return {each.disease_id: each.probability for each in result.top(10_000)}


def assert_same(result: Posterior, expected: dict[str, float]) -> None:
    found = by_id(result)
    assert found.keys() == expected.keys()
    for disease, probability in expected.items():
        assert math.isclose(found[disease], probability, rel_tol=1e-9, abs_tol=1e-300)


#: (inheritance, onset, sex) of a context, and the weight that each profile of a world has under it, by hand.
def weight(profile: DiseaseProfile, inheritance: str | None, onset: str | None, sex: str | None) -> float:
    total = 1.0
    for wanted, stated in ((inheritance, profile.inheritance), (onset, profile.onset)):
        if wanted is not None:
            total *= 1.0 if wanted in stated else CONTRADICTED if stated else UNSTATED
    if sex is not None:
        male = 0.5
        stated_for = {profile.only_in.get(finding, "") for finding in profile.findings}
        if "X-linked recessive inheritance" in profile.inheritance:
            male = 0.95
        if "Y-linked inheritance" in profile.inheritance or stated_for == {"male"}:
            male = 0.99
        if stated_for == {"female"} and male < 0.99:  # as far from half as 0.99 is: the mode is said first
            male = 0.01
        total *= male if sex == "male" else 1.0 - male
    return total


@st.composite
def questions(draw: st.DrawFn) -> tuple[World, list[str], list[str], Context]:
    world = draw(worlds())
    oracle = DiagnosisOracle(world.profiles, world.parents, CONSTANTS)
    ids = [finding.id for finding in world.findings]
    stated = draw(st.lists(st.sampled_from(ids), unique=True, max_size=4))
    implied = {each for finding in stated for each in (finding, *oracle.broader(finding))}
    free = [each for each in ids if each not in implied]
    denied = draw(st.lists(st.sampled_from(free), unique=True, max_size=3)) if free else []
    modes = [None, *sorted({mode for profile in world.profiles for mode in profile.inheritance})]
    seen = []
    for _ in range(draw(st.integers(0, 3))):
        examined = draw(st.integers(1, 50))
        disease, finding = draw(st.sampled_from(world.profiles)).id, draw(st.sampled_from(ids))
        seen.append(Observation(disease, finding, draw(st.integers(0, examined)), examined, "PMID:7"))
    return (
        world,
        stated,
        denied,
        Context(
            draw(st.sampled_from(modes)),
            draw(st.sampled_from([None, "Congenital onset", "Childhood onset", "Late onset"])),
            tuple(seen),
            draw(st.sampled_from([None, "male", "female"])),
            tuple(denied),
        ),
    )


@settings(max_examples=150)
@given(question=questions(), kept=st.sets(st.integers(0, 1)))
def test_posterior_is_bayes_rule(
    engine_of: EngineOf, question: tuple[World, list[str], list[str], Context], kept: set[int]
) -> None:
    world, stated, denied, context = question
    counted = [Counted(each.disease_id, each.finding, each.affected, each.examined) for each in context.observations]
    oracle = DiagnosisOracle(world.profiles, world.parents, CONSTANTS, context.sex or "", counted)
    weights = {each.id: weight(each, context.inheritance, context.onset, context.sex) for each in world.profiles}
    chosen = [world.profiles[number].id for number in sorted(kept)] or None
    engine = engine_of(world)
    assert_same(engine.posterior(stated, chosen, context), oracle.posterior(stated, denied, weights, chosen))


@settings(max_examples=40)
@given(question=questions(), seed=st.randoms())
def test_order_and_repetition_change_nothing(
    engine_of: EngineOf, question: tuple[World, list[str], list[str], Context], seed: random.Random
) -> None:
    """Not by one bit: what is summed is summed in one order."""
    world, stated, denied, context = question
    engine = engine_of(world)
    once = engine.posterior(stated, None, context)
    shuffled, others = [*stated, *stated], [*denied, *denied]
    seed.shuffle(shuffled)
    seed.shuffle(others)
    names = {finding.id: finding.name for finding in world.findings}
    again = engine.posterior(
        [names[each] if place % 2 else each for place, each in enumerate(shuffled)],
        None,
        Context(context.inheritance, context.onset, context.observations[::-1], context.sex, tuple(others)),
    )
    assert np.array_equal(once.probability, again.probability)


@settings(max_examples=40)
@given(world=worlds(), data=st.data())
def test_what_is_present_is_present_by_every_broader_name(
    engine_of: EngineOf, world: World, data: st.DataObject
) -> None:
    """Denying a broader finding speaks as strongly against a disease that is annotated with a narrower one."""
    engine = engine_of(world)
    narrower = data.draw(st.sampled_from(world.findings))
    oracle = DiagnosisOracle(world.profiles, world.parents, CONSTANTS)
    for broader in oracle.broader(narrower.id):
        one, other = (engine.posterior([], context=Context(absent=(each,))) for each in (narrower.id, broader))
        for place, profile in enumerate(world.profiles):
            if narrower.id in profile.findings:
                assert other.factors[place, 0] <= one.factors[place, 0] + 1e-12


FAMILY = World(
    [
        FindingName("HP:1", "Abnormal nervous system"),
        FindingName("HP:2", "Seizure", (), ("HP:1",)),
        FindingName("HP:3", "Focal seizure", (), ("HP:2",)),
        FindingName("HP:4", "Absence seizure", (), ("HP:2",)),
    ],
    [
        DiseaseProfile("OMIM:1", "One", {"HP:3": (0.8, "PMID:1 8/10")}),
        DiseaseProfile("OMIM:2", "Two", {"HP:2": (0.6, "PMID:2 6/10")}),
        DiseaseProfile("OMIM:3", "Three", {"HP:1": (0.5, "x")}, absent={"HP:2": (8, "PMID:3 0/8")}),
        DiseaseProfile("OMIM:4", "Four", {"HP:1": (0.9, "x")}, absent={"HP:4": (0, "PMID:4 absent")}),
    ],
)


def test_each_line_of_the_hierarchy_by_hand(engine_of: EngineOf) -> None:
    engine = engine_of(FAMILY)
    stated = engine.posterior(["Seizure"])
    background = BACKGROUND_SHARE * (0.8 * NAMED_BROADER + 0.6) / 4
    assert stated.factors[:2, 0].tolist() == pytest.approx([0.8 * NAMED_BROADER, 0.6])
    assert stated.factors[2, 0] == pytest.approx(background * PRIOR_PATIENTS / (PRIOR_PATIENTS + 8))
    # Four's nervous system is abnormal in nine of ten; 1.4 of 2.8 of that is seizures.
    assert stated.factors[3, 0] == pytest.approx(NARROWER_SHARE * 0.9 * 1.4 / 2.8)
    denied = engine.posterior([], context=Context(absent=("Seizure",)))
    assert denied.factors[:2, 0].tolist() == pytest.approx([0.2, 0.4])
    narrower = engine.posterior(["Focal seizure"])
    assert narrower.factors[1, 0] == pytest.approx(max(NARROWER_SHARE * 0.6 * 0.8 / 1.4, BACKGROUND_SHARE * 0.8 / 4))
    # What lacks seizures lacks those of a kind; nobody says of how many patients.
    none = engine.posterior(["Absence seizure"])
    assert none.factors[3, 0] == pytest.approx(1e-4 * PRIOR_PATIENTS / (PRIOR_PATIENTS + ABSENT_PATIENTS))
    said = {each.disease_id: each.likelihoods[0].source for each in stated.top(4)}
    assert said == {
        "OMIM:1": f"Focal seizure PMID:1 8/10 ×{NAMED_BROADER:g}",
        "OMIM:2": "PMID:2 6/10",
        "OMIM:3": "PMID:3 0/8",
        "OMIM:4": f"Abnormal nervous system x ×{NARROWER_SHARE * 1.4 / 2.8:.2g}",
    }
    assert {each.disease_id: each.likelihoods[0].source for each in denied.top(4)}["OMIM:1"] == (
        "Focal seizure PMID:1 8/10"
    )


def test_evidence_of_a_narrower_finding_raises_the_broader(engine_of: EngineOf) -> None:
    engine = engine_of(FAMILY)
    seen = Observation("OMIM:4", "Focal seizure", 18, 18, "PMID:9")
    after = engine.posterior([], context=Context(absent=("Seizure",), observations=(seen,)))
    before = engine.posterior([], context=Context(absent=("Focal seizure",)))
    pooled = (PRIOR_PATIENTS * (1 - before.factors[3, 0]) + 18) / (PRIOR_PATIENTS + 18)
    assert after.factors[3, 0] == pytest.approx(1 - min(CEILING, pooled))
    likelihood = next(each for each in after.top(4) if each.disease_id == "OMIM:4").likelihoods[0]
    assert likelihood.denied and likelihood.source.endswith("; PMID:9 18/18")


def test_factors_too_small_to_multiply_do_not_underflow(engine: ClinicalReasoningEngine) -> None:
    """Two findings, each with P near 1e-300 everywhere: their product is 0 as a float, yet the posterior sums to 1."""
    seen = tuple(
        Observation(profile.id, finding, 0, 10**300 * (number + 1), "PMID:9")
        for finding in ("HP:0001250", "HP:0001166")
        for number, profile in enumerate(PROFILES)
    )
    posterior = engine.posterior(["Seizure", "Arachnodactyly"], context=Context(observations=seen))
    assert sum(by_id(posterior).values()) == pytest.approx(1.0)
    parents = {finding.id: () for finding in FINDINGS}
    counted = [Counted(each.disease_id, each.finding, each.affected, each.examined) for each in seen]
    oracle = DiagnosisOracle(PROFILES, parents, CONSTANTS, "", counted)
    assert_same(posterior, oracle.posterior(["HP:0001250", "HP:0001166"]))
    assert "e-60" in posterior.explain(1)


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


def test_what_a_document_says_becomes_evidence(engine: ClinicalReasoningEngine) -> None:
    text = "Lens dislocation was found in 1/18. Spider fingers (n = 20) were seen in 50%. Seizures were frequent."
    seen = engine.read(text, "OMIM:154700", ["Ectopia lentis", "Arachnodactyly", "Seizure"], "PMID:9")
    assert [(each.finding, each.affected, each.examined) for each in seen] == [
        ("HP:0001083", 1, 18),
        ("HP:0001166", 10, 20),
    ]
    findings = ["Ectopia lentis", "Arachnodactyly"]
    before, after = engine.posterior(findings), engine.posterior(findings, context=Context(observations=seen))
    assert by_id(after)["OMIM:154700"] < by_id(before)["OMIM:154700"]
    assert after.top(4)[0].likelihoods[1].source == "OMIM:154700 very frequent; PMID:9 10/20"
    with pytest.raises(UnknownFinding):
        engine.read(text, "OMIM:154700", ["Siezure"], "PMID:9")


def test_every_factor_has_its_source(engine: ClinicalReasoningEngine) -> None:
    best = engine.posterior(["Arachnodactyly", "Seizure"]).top(1)[0]
    assert best.disease_id == "DECIPHER:1" and best.prior == pytest.approx(0.5)
    assert [(each.finding, each.source) for each in best.likelihoods] == [
        ("Arachnodactyly", "not annotated, background"),
        ("Seizure", "PMID:5 7/7"),
    ]
    rare = next(each for each in engine.posterior(["Pectus carinatum"]).top(4) if each.disease_id == "OMIM:100800")
    assert rare.likelihoods[0].probability == pytest.approx(BACKGROUND_SHARE * (0.3 + 0.00005) / 4)
    assert rare.likelihoods[0].source == "PMID:6 1/20000, background"


def test_the_arithmetic_that_is_shown_adds_up(engine: ClinicalReasoningEngine) -> None:
    """Multiply what `explain` prints, as a reader would."""
    context = Context("Autosomal dominant", "2 years", (), "male", ("Seizure",))
    text = engine.posterior(["Ectopia lentis", "Arachnodactyly"], context=context).explain(1)
    head, prior, *factors, joint, normaliser = text.splitlines()
    product = float(prior.split()[1])
    for line in factors:
        figure = line.rpartition(" (")[0].split()[-1]
        product *= float(figure)
    stated = float(joint.split()[2].removesuffix(";"))
    assert product == pytest.approx(stated, rel=2e-3)
    assert float(head.rpartition("=")[2]) == pytest.approx(
        stated / float(normaliser.split()[1].removesuffix(":")), 2e-3
    )
    assert len(factors) == 3 and "1 - P(Seizure)" in factors[2] and "over" not in text
    assert "prevalence 1 (no class)" in prior and "inheritance 1 (Autosomal dominant inheritance)" in prior
    assert "onset 1 (Childhood onset)" in prior and "sex 0.5 (not stated)" in prior


def test_names_that_fit_nothing_or_too_much(engine: ClinicalReasoningEngine) -> None:
    with pytest.raises(UnknownFinding, match="'Pigon chest'; nearest: Pigeon chest"):
        engine.posterior(["Pigon chest"])
    with pytest.raises(UnknownFinding, match="may mean Seizure; Convulsive fit"):
        engine.posterior(["fit"])
    with pytest.raises(KeyError):
        engine.posterior(["Seizure"], ["OMIM:999"])
    with pytest.raises(ValueError, match="no candidates"):
        engine.posterior(["Seizure"], [])


def test_what_is_stated_cannot_be_denied(engine_of: EngineOf) -> None:
    engine = engine_of(FAMILY)
    for absent in ("Focal seizure", "Seizure", "Abnormal nervous system"):
        with pytest.raises(BadContext, match=f"'Focal seizure' is stated and '{absent}' is said to be absent"):
            engine.posterior(["Focal seizure"], context=Context(absent=(absent,)))
    assert engine.posterior(["Seizure"], context=Context(absent=("Focal seizure",))).probability.sum() == (
        pytest.approx(1.0)
    )


def test_thousands_of_candidates(engine_of: EngineOf) -> None:
    """One in 5,000 stands out; the others share what is left, and so they do among themselves."""
    count = 5000
    common = {"HP:1": (0.5, "x")}
    profiles = [DiseaseProfile(f"OMIM:{number}", str(number), common) for number in range(count)]
    profiles[1234] = DiseaseProfile("OMIM:1234", "odd", {"HP:1": (0.5, "x"), "HP:3": (1.0, "y")})
    engine = engine_of(World(FAMILY.findings, profiles))
    result = engine.posterior(["HP:1", "HP:3"])
    background = NARROWER_SHARE * 0.5 * 1.0 / (count * 0.5 + 0.5)
    odds = CEILING / max(background, 1e-4)
    assert result.top(1)[0].disease_id == "OMIM:1234"
    assert result.top(1)[0].probability == pytest.approx(odds / (odds + count - 1), rel=1e-9)
    assert result.probability.sum() == pytest.approx(1.0, rel=1e-12)
    others = [f"OMIM:{number}" for number in range(1000)]
    assert np.allclose(engine.posterior(["HP:1"], others).probability, 1e-3, rtol=1e-12)
