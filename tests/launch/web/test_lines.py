import os
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from launch.web.lines import Line, Tail


def texts(lines: list[Line]) -> list[bytes]:
    return [line.text for line in lines]


def drained(tail: Tail, most_bytes: int = 1 << 20) -> list[Line]:
    lines: list[Line] = []
    while fresh := tail.read(most_bytes):
        lines += fresh
    return lines


@given(st.lists(st.binary(max_size=12)), st.lists(st.integers(0, 60)), st.integers(1, 20))
def test_whatever_the_writes_each_whole_line_comes_once(
    tmp_path_factory: object, written: list[bytes], cuts: list[int], most_bytes: int
) -> None:
    """The oracle splits the whole file at the end; the tail reads it while it is written in arbitrary pieces."""
    path = Path(str(tmp_path_factory.mktemp("tail"))) / "lines"  # type: ignore[attr-defined]
    content = b"\n".join(written)
    tail, lines = Tail(path), []
    places = sorted({0, len(content), *(min(cut, len(content)) for cut in cuts)})
    for start, end in pairwise(places):
        with path.open("ab") as file:
            file.write(content[start:end])
        lines += drained(tail, most_bytes)
    expected = [text + b"\n" for text in content.split(b"\n")[:-1]]
    assert texts(lines) == expected
    assert [line.number for line in lines] == list(range(1, len(expected) + 1))
    assert all(content[line.offset : line.offset + len(line.text)] == line.text for line in lines)
    assert tail.generation == 0


def test_no_file_then_a_file(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "late")
    assert tail.read() == []
    (tmp_path / "late").write_bytes(b"a\nb")
    assert texts(tail.read()) == [b"a\n"]


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    path, other = tmp_path / "x", tmp_path / "y"
    path.write_bytes(b"one\ntwo\n")
    tail = Tail(path)
    assert texts(tail.read()) == [b"one\n", b"two\n"]
    other.write_bytes(b"uno\ndue\ntre\n")
    os.replace(other, path)
    assert texts(tail.read()) == [b"uno\n", b"due\n", b"tre\n"]
    assert tail.generation == 1


def test_a_file_that_was_written_over_in_place_is_read_anew(tmp_path: Path) -> None:
    """The same inode and more bytes than were read: only what stands there tells."""
    path = tmp_path / "x"
    path.write_bytes(b"one\ntwo\n")
    tail = Tail(path)
    tail.read()
    path.write_bytes(b"uno\ndue\ntre\n")
    assert texts(tail.read()) == [b"uno\n", b"due\n", b"tre\n"]
    assert tail.generation == 1


def test_a_half_line_that_is_cut_off_is_no_new_file(tmp_path: Path) -> None:
    """What the tracker does when a run goes on after a crash."""
    path = tmp_path / "x"
    path.write_bytes(b"one\ntw")
    tail = Tail(path)
    assert texts(tail.read()) == [b"one\n"]
    with path.open("r+b") as file:
        file.truncate(4)
    assert tail.read() == []
    with path.open("ab") as file:
        file.write(b"deux\n")
    assert texts(tail.read()) == [b"deux\n"]
    assert tail.generation == 0


def test_a_file_cut_back_further_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"one\ntwo\n")
    tail = Tail(path)
    tail.read()
    with path.open("r+b") as file:
        file.truncate(4)
    assert texts(tail.read()) == [b"one\n"]
    assert tail.generation == 1


def test_a_file_that_is_gone_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"one\n")
    tail = Tail(path)
    tail.read()
    path.unlink()
    assert tail.read() == []
    assert (tail.generation, tail.offset) == (1, 0)
    assert tail.read() == []
    assert tail.generation == 1
