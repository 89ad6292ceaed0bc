"""Words, content words, token estimates."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.text import content_words, estimate_tokens, fold, name_words, words


def test_words_are_folded_and_singular() -> None:
    assert (
        words("Sjögren's  SYNDROME: renal cysts (OMIM:270150)") == "sjogren s syndrome renal cyst omim 270150".split()
    )


@pytest.mark.parametrize("word", ["sinus", "stenosis", "abscess", "bus", "gas"])
def test_an_s_that_is_no_plural_stays(word: str) -> None:
    assert words(word) == [word]


def test_content_words_drop_the_question_around_them() -> None:
    assert content_words("Which gene causes the Marfan syndrome, which gene?") == ["gene", "marfan", "syndrome"]
    assert content_words("what is it") == ["what", "is", "it"]


def test_name_words_leave_out_what_is_asked() -> None:
    assert name_words("gene of Marfan syndrome") == ["marfan", "syndrome"]
    assert name_words("which disease genes") == ["disease", "gene"]


@given(st.text())
def test_fold_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "tokens"),  # counted with SmolLM2's tokenizer
    [
        ("[1] Bloody mucoid diarrhea (HP:0025086): A kind of Bloody diarrhea. Seen in: Shigellosis.", 33),
        ("Gene: FBN1. Inheritance: Autosomal dominant.", 14),
    ],
)
def test_estimate_is_near_a_real_tokenizer(text: str, tokens: int) -> None:
    assert abs(estimate_tokens(text) - tokens) <= 0.2 * tokens


@given(st.text(), st.text())
def test_estimate_grows_with_the_text(start: str, end: str) -> None:
    assert estimate_tokens(start) <= estimate_tokens(f"{start} {end}") + 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("马凡综合征 FBN1", "马 凡 综 合 征 fbn1"),
        ("マルファン症候群", "マ ル フ ァ ン 症 候 群"),
        ("がん、か", "が ん か"),  # the voiced letter is another one
        ("ｶﾞﾝ", "ガ ン"),  # of half width
        ("마르팡 증후군", "마 르 팡 증 후 군"),
        ("aortic 大動脈 dissections", "aortic 大 動 脈 dissection"),
        ("𠀀", "𠀀"),
    ],
)
def test_letters_of_scripts_without_blanks_are_words(text: str, expected: str) -> None:
    assert words(text) == expected.split() and content_words(text) == list(dict.fromkeys(expected.split()))


def test_letters_of_scripts_without_blanks_are_about_a_token_each() -> None:
    assert 10 <= estimate_tokens("马凡综合征马凡综合征") <= 12
    assert estimate_tokens("마르팡 FBN1") == estimate_tokens("马凡综 FBN1") > estimate_tokens("FBN1") + 2


@given(st.text(st.characters(max_codepoint=127)))
def test_english_is_split_as_ever(text: str) -> None:
    singular = [
        word[:-1] if len(word) > 3 and word.endswith("s") and word[-2:] not in ("ss", "us", "is") else word
        for word in re.findall("[a-z0-9]+", text.lower())
    ]
    assert fold(text) == text.lower() and words(text) == singular
