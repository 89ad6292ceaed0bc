import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrl import records
from medrl.errors import DataError
from medrl.records import append_lines, keep_whole_lines, read_jsonl, to_jsonl, write_jsonl


@dataclass
class Point:
    x: int
    name: str


def test_what_is_written_is_read(tmp_path: Path) -> None:
    points = [Point(1, "é\n\u2028"), Point(-2, "")]
    write_jsonl(tmp_path / "points.jsonl", points)
    assert list(read_jsonl(tmp_path / "points.jsonl", Point)) == points
    assert (tmp_path / "points.jsonl").read_bytes() == to_jsonl(points).encode()
    assert to_jsonl([{"x": 1}, Point(2, "a")]) == '{"x":1}\n{"x":2,"name":"a"}\n'


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"x": "a", "name": "b"}', "x: Input should be a valid integer"),
        (b'{"x": 1, "name": "\xff"}', "Invalid JSON: invalid unicode"),
        (b"[]", "Input should be"),
        (b"", "Invalid JSON: EOF"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, says: str) -> None:
    path = tmp_path / "points.jsonl"
    path.write_bytes(b'{"x": 1, "name": "a"}\r\n' + line + b"\n")
    lines = read_jsonl(path, Point)
    assert next(lines) == Point(1, "a")
    with pytest.raises(DataError) as raised:
        next(lines)
    assert str(raised.value).startswith(f"{path}:2: {says}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="points.jsonl: No such file"):
        list(read_jsonl(tmp_path / "points.jsonl", Point))


@given(st.lists(st.sampled_from([b"\n", b"a", b"bcd"]), max_size=40).map(b"".join), st.integers(1, 9))
def test_of_a_file_whole_lines_stay_however_it_is_read(content: bytes, block: int) -> None:
    file = io.BytesIO(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_BLOCK", block)
        kept = keep_whole_lines(file)
    whole = content[: content.rfind(b"\n") + 1]
    assert (file.getvalue(), kept) == (whole, len(whole))


def test_lines_are_appended_after_the_last_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lines"
    for text in ("one\n", "two\nthr", "four\n"):
        with append_lines(path) as lines:
            lines.write(text)
    assert path.read_text() == "one\ntwo\nfour\n"
