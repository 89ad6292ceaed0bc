from dataclasses import dataclass
from pathlib import Path

import pytest

from medrl.errors import DataError
from medrl.records import read_jsonl, to_jsonl, write_jsonl


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
