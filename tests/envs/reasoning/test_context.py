"""Priors by context: every weight of the table, ages and classes of onset, what is refused."""

from itertools import pairwise
from pathlib import Path

import pytest

from envs.corpus import DiseaseProfile, FindingName
from envs.profiles import ProfileTable
from envs.reasoning.context import CONTRADICTED, UNSTATED, BadContext, Context, prior_factors
from envs.reasoning.engine import ClinicalReasoningEngine
from envs.reasoning.onset import ONSET_RANGES, onset_range, overlap
from tests.envs.reasoning.family import World

SHOWN = {"HP:1": (0.5, "x")}
DOMINANT = "Autosomal dominant inheritance"
BOTH = {"HP:1": (0.5, "x"), "HP:2": (0.5, "x")}


def profile(number: int, *modes: str, onset: tuple[str, ...] = (), **fields: object) -> DiseaseProfile:
    return DiseaseProfile(f"OMIM:{number}", str(number), SHOWN, modes, onset, **fields)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ProfileTable:
    profiles = [
        profile(
            0, "Autosomal dominant inheritance", onset=("Childhood onset",), prior=10.0, prevalence="1-9 / 100 000"
        ),
        profile(1, "X-linked recessive inheritance", onset=("Neonatal onset", "Late onset")),
        profile(2, "X-linked dominant inheritance", "Sporadic"),
        profile(3, "X-linked inheritance", onset=("Adult onset",)),
        profile(4, DOMINANT, "Male-limited expression"),
        profile(5, onset=("Pediatric onset",)),
        profile(6, only_in={"HP:1": "female"}),
        DiseaseProfile("OMIM:7", "7", BOTH, only_in={"HP:1": "female"}),
    ]
    findings = [FindingName("HP:1", "first"), FindingName("HP:2", "second")]
    return World(findings, profiles).table(Path(tmp_path_factory.mktemp("context")))


def weights(table: ProfileTable, **stated: str) -> list[float]:
    prevalence, factor = prior_factors(table, Context(**stated))  # type: ignore[arg-type]
    assert prevalence.weights.tolist() == [10.0, 1, 1, 1, 1, 1, 1, 1] and prevalence.said[0] == "1-9 / 100 000"
    return factor.weights.tolist()


def test_inheritance(table: ProfileTable) -> None:
    no, unknown = CONTRADICTED, UNSTATED
    expected = [1.0, no, no, no, 1.0, unknown, unknown, unknown]
    assert weights(table, inheritance=DOMINANT) == expected
    assert weights(table, inheritance="autosomal DOMINANT") == expected
    assert weights(table, inheritance="X-linked") == [no, 1.0, 1.0, 1.0, no, unknown, unknown, unknown]
    # A disease that is X-linked, no more said, may be X-linked recessive.
    assert weights(table, inheritance="X-linked recessive")[1:4] == [1.0, no, 1.0]


def test_onset(table: ProfileTable) -> None:
    no, unknown = CONTRADICTED, UNSTATED
    for stated in ("Childhood onset", "childhood", "3 years", "3", "2.5", "18 months", "60 weeks"):
        assert weights(table, onset=stated) == [1.0, no, unknown, no, unknown, 1.0, unknown, unknown], stated
    for stated in ("5 days", "5d", "2 wks", "0.5 mos"):
        assert weights(table, onset=stated) == [no, 1.0, unknown, no, unknown, no, unknown, unknown], stated
    assert weights(table, onset="70 years old") == [no, 1.0, unknown, 1.0, unknown, no, unknown, unknown]


def test_sex(table: ProfileTable) -> None:
    male = [0.5, 0.95, 0.35, 0.8, 0.99, 0.5, 0.01, 0.5]
    assert weights(table, sex="male") == male
    assert weights(table, sex="female") == pytest.approx([1 - each for each in male])


def test_a_figure_stated_for_the_other_sex_says_nothing(table: ProfileTable) -> None:
    engine = ClinicalReasoningEngine(table)
    factors = {sex: engine.posterior(["first"], context=Context(sex=sex)).factors[7, 0] for sex in (None, "female")}
    assert list(factors.values()) == [0.5, 0.5]
    other = engine.posterior(["first"], context=Context(sex="male"))
    assert other.factors[7, 0] == pytest.approx(0.2 * 6 * 0.5 / 8)  # of eight diseases six show it in males
    assert {each.disease_id: each for each in other.top(8)}["OMIM:7"].likelihoods[0].source == (
        "not annotated, background"
    )


def test_no_context_leaves_nothing(table: ProfileTable) -> None:
    """All that a disease states is contradicted, yet among such diseases one still decides."""
    engine = ClinicalReasoningEngine(table)
    context = Context("X-linked recessive", "80 years", (), "female", ("second",))
    result = engine.posterior(["first"], ["OMIM:4", "OMIM:0"], context)
    assert result.probability.sum() == pytest.approx(1.0) and (result.probability > 0).all()
    assert result.probability[0] / result.probability[1] == pytest.approx(10 * 0.5 * CONTRADICTED / (0.01 * UNSTATED))


@pytest.mark.parametrize(
    ("context", "said"),
    [
        (Context(inheritance="dominnt"), "unknown inheritance 'dominnt'; nearest: .*ominant"),
        (Context(inheritance=" "), "unknown inheritance"),
        (Context(onset="middle age onst"), "neither an age such as '3 years' nor a class; nearest: Middle age onset"),
        (Context(onset="131"), "neither an age"),
        (Context(onset="-3"), "neither an age"),
        (Context(onset="2 decades"), "neither an age"),  # no days
        (Context(onset="5 minutes"), "neither an age"),  # no months
        (Context(onset=""), "neither an age"),
        (Context(sex="unknown"), "'unknown' is neither male nor female"),
    ],
)
def test_what_is_not_understood(table: ProfileTable, context: Context, said: str) -> None:
    with pytest.raises(BadContext, match=said):
        ClinicalReasoningEngine(table).posterior(["first"], context=context)


def test_classes_of_onset_cover_life_once() -> None:
    """The narrowest classes meet without a gap from the embryo to old age; a class lies within its broader ones."""
    line = [
        "Embryonal onset", "Fetal onset", "Congenital onset", "Infantile onset", "Childhood onset", "Juvenile onset",
        "Young adult onset", "Middle age onset", "Late onset",
    ]  # fmt: skip
    spans = [ONSET_RANGES[name] for name in line]
    spans[2] = ONSET_RANGES["Neonatal onset"]
    assert all(one[1] == pytest.approx(other[0]) for one, other in pairwise(spans))
    assert all(low < high for low, high in ONSET_RANGES.values())
    assert overlap(ONSET_RANGES["Congenital onset"], ONSET_RANGES["Neonatal onset"])
    assert not overlap(ONSET_RANGES["Infantile onset"], ONSET_RANGES["Childhood onset"])
    assert onset_range("0") == ONSET_RANGES["Congenital onset"] and onset_range("16 y") == (
        16.0,
        pytest.approx(16.003, abs=1e-3),
    )
