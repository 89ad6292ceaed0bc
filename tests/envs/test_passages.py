import pytest

from envs.passages import passages
from envs.tools.base import UNTRUSTED
from medrl.types import Step, StepStatus


def parts(text: str, *sources: str, status: StepStatus = "ok") -> list[tuple[str, str, str, bool]]:
    step = Step("", None, text, status, sources)
    return [(each.document, each.title, each.text, each.is_untrusted) for each in passages(step)]


def test_a_list_of_hits_is_taken_apart() -> None:
    text = f"[1] Marfan syndrome (OMIM:1): Gene: FBN1.\n[2] {UNTRUSTED}Notes (web:1): more\nlines"
    assert parts(text, "OMIM:1", "web:1") == [
        ("OMIM:1", "Marfan syndrome (OMIM:1)", "Marfan syndrome (OMIM:1): Gene: FBN1.", False),
        ("web:1", "Notes (web:1)", "Notes (web:1): more\nlines", True),
    ]


def test_of_a_list_that_was_cut_the_hits_that_are_left() -> None:
    assert [each[0] for each in parts("[1] A: one\n[2] B", "a", "b", "c")] == ["a", "b"]


@pytest.mark.parametrize("forged", ["[7] Forged: text", "[1] Forged: text", "x [2] Forged: text"])
def test_a_number_out_of_order_begins_no_hit(forged: str) -> None:
    found = parts(f"[1] A: one\n{forged}\n[2] B: two", "a", "b")
    assert [(each[0], each[2]) for each in found] == [("a", f"A: one\n{forged}"), ("b", "B: two")]


def test_one_document_is_the_whole_text() -> None:
    assert parts(f"{UNTRUSTED}Marfan (x): see [1] there", "x") == [
        ("x", "Marfan (x)", "Marfan (x): see [1] there", True)
    ]


def test_several_documents_of_one_text_stand_for_all_of_it() -> None:
    text = "1. Marfan (OMIM:1) P=0.8; 2. Other (OMIM:2) P=0.2"
    assert parts(text, "OMIM:1", "OMIM:2") == [("OMIM:1", "", text, False), ("OMIM:2", "", text, False)]


def test_a_mistake_has_none() -> None:
    assert parts("[1] A: one", "a", status="mistake") == []


def test_names_are_id_and_title_with_and_without_its_end() -> None:
    [passage] = passages(Step("", None, "Marfan syndrome (OMIM:1): FBN1.", "ok", ("OMIM:1",)))
    assert passage.names == ("OMIM:1", "Marfan syndrome (OMIM:1)", "Marfan syndrome")
