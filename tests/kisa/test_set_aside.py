from pathlib import Path

import pytest

from kisa.set_aside import Aside, SetAsideLog, read
from medrl.errors import DataError


def test_what_was_noted_is_read_back_each_item_once(tmp_path: Path) -> None:
    path = tmp_path / "made" / "set_aside.jsonl"
    assert read(path) == []
    with SetAsideLog(path) as log:
        assert read(path) == []
        log.add("wording", "q1", ["HTTP status 503", "an empty reply"])
        assert read(path) == [Aside("wording", "q1", ("HTTP status 503", "an empty reply"))]  # at once
        log.add("extraction", "q1", ["no answer in the reply 'Sjögren\\n'"])
    with SetAsideLog(path) as log:
        log.add("wording", "q2", ["a line\nbreak"])
        log.add("wording", "q1", ["HTTP status 400"])
    assert read(path) == [
        Aside("wording", "q1", ("HTTP status 400",)),
        Aside("extraction", "q1", ("no answer in the reply 'Sjögren\\n'",)),
        Aside("wording", "q2", ("a line\nbreak",)),
    ]
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4


def test_torn_anywhere_in_the_last_line_the_others_are_kept_and_added_to(tmp_path: Path) -> None:
    path = tmp_path / "set_aside.jsonl"
    with SetAsideLog(path) as log:
        log.add("wording", "q1", ["a"])
        first = len(path.read_bytes())
        log.add("wording", "Sjö", ["b"])
    whole = path.read_bytes()
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        assert [item.id for item in read(path)] == ["q1"]
        with SetAsideLog(path) as log:
            log.add("wording", "q3", ["c"])
        assert [item.id for item in read(path)] == ["q1", "q3"]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "set_aside.jsonl"
    with SetAsideLog(path) as log:
        log.add("wording", "q1", ["a"])
    path.write_bytes(path.read_bytes() + b'{"stage": "wording"}\n')
    with pytest.raises(DataError, match=r"set_aside.jsonl:2: Field required; mend or delete the line"):
        read(path)
    path.write_bytes(path.read_bytes() + b"\xff\n")
    with pytest.raises(DataError, match=r"set_aside.jsonl: not UTF-8"):
        read(path)
