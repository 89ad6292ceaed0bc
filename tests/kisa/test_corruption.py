"""What is spoilt differs and shows what is wrong with it; what is drawn depends on seed, question and call alone."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kisa.corruption import FAULTS, Corruption, corrupt, draw
from medrl.seeds import derive_seed

TEXT = "[1] Marfan syndrome (OMIM:154700): Gene: FBN1. Inheritance: Autosomal dominant."


@given(st.text(min_size=1), st.sampled_from(Corruption), st.integers(0, 2**31))
def test_a_spoilt_text_is_another_and_the_same_every_time(text: str, kind: Corruption, seed: int) -> None:
    spoilt = corrupt(text, kind, random.Random(seed), "other")
    assert spoilt == corrupt(text, kind, random.Random(seed), "other")
    if kind is not Corruption.OTHER_DOCUMENT and text not in ("\ufffd",):
        assert spoilt != text
    spoilt.encode()  # it can be written


def test_each_kind_looks_as_it_is_called() -> None:
    for seed in range(50):
        spoilt = {kind: corrupt(TEXT, kind, random.Random(seed), "Gout: a joint disease.") for kind in Corruption}
        assert spoilt[Corruption.EMPTY] == ""
        cut = spoilt[Corruption.CUT]
        assert TEXT.startswith(cut) and len(TEXT) / 4 <= len(cut) <= 3 * len(TEXT) / 4
        assert cut[-1].isalpha() and TEXT[len(cut)].isalpha()
        garbled = spoilt[Corruption.GARBLED]
        changed = sum(a != b for a, b in zip(garbled, TEXT, strict=True))
        assert 5 < changed < len(TEXT) / 2
        assert spoilt[Corruption.OTHER_DOCUMENT] == "Gout: a joint disease."
        assert any(code in spoilt[Corruption.ERROR_PAGE] for code in ("502", "503", "504"))
        assert spoilt[Corruption.WRONG_ENCODING].encode("utf-16-le").startswith(TEXT[:40].encode())
    assert len({corrupt(TEXT, Corruption.ERROR_PAGE, random.Random(seed)) for seed in range(50)}) == 4
    assert FAULTS.keys() == set(Corruption)


def test_draws_are_as_frequent_as_asked_and_of_every_kind() -> None:
    drawn = [draw(7, f"q{question}", call, 0.05) for question in range(2000) for call in range(5)]
    kinds = [each[0] for each in drawn if each is not None]
    assert len(kinds) / 10_000 == pytest.approx(0.05, abs=0.007)
    for kind in Corruption:
        assert kinds.count(kind) / len(kinds) == pytest.approx(1 / 6, abs=0.05)


def test_a_draw_depends_on_seed_question_and_call() -> None:
    def pattern(seed: int, question: str) -> list[Corruption | None]:
        drawn = [draw(seed, question, call, 0.5) for call in range(30)]
        return [each and each[0] for each in drawn]

    assert pattern(1, "a") == pattern(1, "a")
    assert len({tuple(pattern(seed, question)) for seed in (1, 2) for question in ("a", "b")}) == 4
    assert draw(1, "a", 0, 0.0) is None
    first = draw(1, "a", 0, 1.0)
    assert first is not None and derive_seed(1, "corruption", "a", 0) != derive_seed(1, "corruption", "a", 1)


def test_more_is_spoilt_where_more_is_asked_and_nothing_else_changes() -> None:
    for call in range(200):
        few, many = draw(1, "q", call, 0.1), draw(1, "q", call, 0.4)
        assert few is None or (many is not None and few[0] is many[0])
