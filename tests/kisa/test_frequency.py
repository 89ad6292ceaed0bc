import pytest

from kisa.frequency import UNKNOWN, Frequency, expected, pool


@pytest.mark.parametrize(
    ("cells", "probability", "text", "band"),
    [
        (("3/7",), 3 / 7, "3/7", "frequent"),
        (("3/7", "2/5"), 5 / 12, "5/12", "frequent"),
        (("3/7", "HP:0040284"), 3 / 7, "3/7", "frequent"),  # counted patients outweigh a class
        (("45%",), 0.45, "45%", "frequent"),
        (("HP:0040280",), 1.0, "obligate", "obligate"),
        (("HP:0040281",), 0.895, "very frequent", "very frequent"),
        (("HP:0040282",), 0.545, "frequent", "frequent"),
        (("HP:0040283",), 0.17, "occasional", "occasional"),
        (("HP:0040284",), 0.025, "very rare", "very rare"),
        (("HP:0040283", "HP:0040282"), 0.3575, "36%", "frequent"),
        (("2/2",), 1.0, "2/2", "obligate"),
        (("0/5",), 0.0, "0/5", None),
        (("0/5", "3/5"), 0.3, "3/10", "frequent"),
        (("0/5", ""), None, "", None),  # one study saw none, another row says it is there
        (("0/5", "HP:0040283"), 0.17, "occasional", "occasional"),
        (("",), None, "", None),
    ],
)
def test_pool(cells: tuple[str, ...], probability: float | None, text: str, band: str | None) -> None:
    pooled = pool(cells)
    assert pooled.probability == (None if probability is None else pytest.approx(probability))
    assert pooled.text == text
    assert pooled.band == band


def test_unknown_and_absent_leave_no_clinical_field() -> None:
    assert Frequency(None, "").clinical == {}
    assert Frequency(0.0, "0/5").clinical == {}
    assert Frequency(0.5, "1/2").clinical == {"frequency": "1/2", "frequency_class": "frequent"}


def test_few_patients_are_no_certainty() -> None:
    """The posterior mean of Beta(1, 1) after the counts, by Laplace's rule of succession."""
    for affected, examined in ((1, 1), (0, 3), (119, 251), (7, 7)):
        assert expected(f"{affected}/{examined}") == pytest.approx((affected + 1) / (examined + 2))
    assert expected("") == UNKNOWN and expected("45%") == 0.45 and expected("frequent") == pytest.approx(0.545)
