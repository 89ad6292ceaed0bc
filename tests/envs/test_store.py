"""Answers on disk: what is kept comes back, whoever writes and whoever dies; what is damaged says so."""

import multiprocessing
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.store import AnswerFile, Memory, Store
from envs.tools.base import ToolResult
from medrl.errors import DataError, ToolOutage
from tests.envs.writer import answer, call, write, write_and_die

SPAWN = multiprocessing.get_context("spawn")
RESULTS = st.builds(
    ToolResult,
    text=st.text(),
    sources=st.lists(st.text(), max_size=3).map(tuple),
    is_mistake=st.booleans(),
    cached=st.booleans(),
    corruption=st.text(max_size=5),
)


def opened(path: Path, most_bytes: int = 10**9) -> AnswerFile:
    return AnswerFile(path, most_bytes=most_bytes)


def held(path: Path) -> int:
    with sqlite3.connect(path) as db:
        return int(db.execute("SELECT count(*) FROM answers").fetchone()[0])


@pytest.mark.parametrize("make", [lambda path: Memory(), opened], ids=["memory", "file"])
def test_the_first_answer_is_kept(tmp_path: Path, make: Callable[[Path], Store]) -> None:
    store = make(tmp_path / "deep" / "answers.sqlite")
    assert store.get(call(1)) is None
    assert store.keep(call(1), answer(1)) == answer(1)
    assert store.keep(call(1), answer(2)) == answer(1)
    assert store.get(call(1)) == answer(1)
    for other in (call(2), call(1)._replace(tool="read"), call(1)._replace(version="v2")):
        assert store.get(other) is None


@given(RESULTS)
def test_every_field_comes_back(tmp_path_factory: pytest.TempPathFactory, result: ToolResult) -> None:
    path = tmp_path_factory.mktemp("answers") / "answers.sqlite"
    opened(path).keep(call(1), result)
    assert opened(path).get(call(1)) == replace(result, cached=False)


def test_processes_write_at_once(tmp_path: Path) -> None:
    """Each writes 200 answers, half of them the same as the next one's; the file is made by whoever comes first."""
    path = tmp_path / "answers.sqlite"
    writers = [SPAWN.Process(target=write, args=(path, 100 * number, 200)) for number in range(3)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert [each.exitcode for each in writers] == [0, 0, 0]
    assert held(path) == 400
    store = opened(path)
    assert all(store.get(call(number)) == answer(number) for number in range(400))
    assert [each.name for each in tmp_path.iterdir() if "new" in each.name] == []


def test_a_killed_writer_leaves_what_it_had_written(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    writer = SPAWN.Process(target=write_and_die, args=(path, 20))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    store = opened(path)
    assert [store.get(call(number)) for number in range(20)] == [answer(number) for number in range(20)]
    assert held(path) == 20
    store.keep(call(20), answer(20))
    assert held(path) == 21


def test_the_oldest_go_when_it_is_full(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    store = opened(path, most_bytes=100_000)
    for number in range(1000):
        store.keep(call(number), answer(number))
    kept = [number for number in range(1000) if store.get(call(number)) is not None]
    assert 50 < len(kept) < 500 and kept == list(range(kept[0], 1000))
    store.close()
    assert path.stat().st_size < 130_000


def test_a_bound_below_one_answer_ends(tmp_path: Path) -> None:
    store = opened(tmp_path / "answers.sqlite", most_bytes=1)
    assert store.keep(call(1), answer(1)) == answer(1)
    assert store.get(call(1)) is None


@pytest.mark.parametrize("content", [b"", b"no database at all, by far" * 200])
def test_what_is_no_record_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "answers.sqlite"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"answers\.sqlite: (damaged .* delete it|not a record .* give)"):
        opened(path)


def test_damage_inside_is_told(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    store = opened(path)
    for number in range(500):
        store.keep(call(number), answer(number))
    store.close()
    content = bytearray(path.read_bytes())
    content[4096 : len(content)] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged .* delete it, with answers.sqlite-wal"):
        opened(path).get(call(7))


def test_an_answer_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    opened(path).keep(call(1), answer(1))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE answers SET result = '{\"sources\": []}'")
    with pytest.raises(DataError, match=r"damaged \(the answer to look_up"):
        opened(path).get(call(1))


def test_a_replay_makes_no_file_and_changes_none(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    with pytest.raises(DataError, match="nothing was recorded there; record with"):
        AnswerFile(path, most_bytes=10**9, writable=False)
    opened(path).keep(call(1), answer(1))
    reader = AnswerFile(path, most_bytes=10**9, writable=False)
    assert reader.get(call(1)) == answer(1)
    with pytest.raises(DataError, match="can be written"):
        reader.keep(call(2), answer(2))


def test_a_lock_that_is_not_let_go_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envs.store._WAIT_S", 0.01)
    store, other = opened(tmp_path / "answers.sqlite"), opened(tmp_path / "answers.sqlite")
    with other._writing():
        assert store.get(call(1)) is None  # readers do not wait
        with pytest.raises(ToolOutage, match="another process has written"):
            store.keep(call(1), answer(1))
    assert store.keep(call(1), answer(1)) == answer(1)
