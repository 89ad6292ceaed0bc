import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from medrl.printable import printable


def test_control_and_format_characters_are_left_out_and_lines_stay() -> None:
    assert printable("a\x1b[2Jb\rc\x9b1md\u202ee\nf é \u200bg") == "a[2Jbc1mde\nf é g"


@given(st.text())
def test_what_is_left_is_in_order_and_shows(text: str) -> None:
    left = printable(text)
    assert printable(left) == left
    assert [char for char in text if char in left] == list(left)
    assert all(char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs", "Cn") for char in left)
