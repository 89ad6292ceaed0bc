from pathlib import Path

import pytest

from medrl.errors import ConfigError, DataError
from medrl.journal import Journal
from medrl.types import Entity

ONE, TWO = Entity("1", "Sjögren", "disease"), Entity("2", "two", "gene")


def kept(path: Path, key: str = "k") -> list[Entity]:
    journal = Journal(path, key, Entity)
    found = list(journal.records())
    journal.close(done=False)
    return found


def test_records_are_read_back_by_the_same_key_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal"
    journal = Journal(path, "k", Entity)
    assert list(journal.records()) == []
    journal.append(ONE)
    journal.append(TWO)
    assert list(journal.records()) == []  # what was there at the beginning
    journal.close(done=False)
    assert kept(path) == [ONE, TWO]
    assert kept(path, "other") == []
    assert kept(path) == []


def test_a_record_that_was_cut_off_anywhere_is_dropped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, "k", Entity)
    journal.append(ONE)
    before = path.stat().st_size
    journal.append(TWO)
    journal.close(done=False)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        journal = Journal(path, "k", Entity)
        expected = [ONE] if size >= before else []
        assert list(journal.records()) == expected, size
        journal.append(TWO)
        journal.close(done=False)
        assert kept(path) == [*expected, TWO], size


def test_it_may_grow_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, "k", Entity)
    journal.append(ONE)
    journal.append(ONE)
    journal.close(done=False)
    journal = Journal(path, "k", Entity)
    records = journal.records()
    assert next(records) == ONE
    journal.append(TWO)
    assert list(records) == [ONE]
    journal.close(done=False)
    assert kept(path) == [ONE, ONE, TWO]


def test_one_that_is_done_is_gone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", "k", Entity)
    journal.append(ONE)
    journal.close(done=True)
    assert not list(tmp_path.iterdir())


def test_two_do_not_write_one_and_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, "k", Entity)
    journal.append(ONE)
    with pytest.raises(ConfigError, match="another medrl is at work on .*journal"):
        Journal(path, "k", Entity)
    journal.close()
    path.write_bytes(path.read_bytes().replace(b'"name"', b'"nome"'))
    damaged = Journal(path, "k", Entity)
    with pytest.raises(DataError, match=r"journal: damaged \(.*\): delete it"):
        list(damaged.records())
    damaged.close()
