"""A folder appears whole or not at all."""

from pathlib import Path

import pytest

from envs.folders import build_once


def test_a_crash_leaves_nothing_and_a_finished_folder_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder"

    def crash(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        build_once(target, crash)
    assert list(target.parent.iterdir()) == []
    build_once(target, lambda folder: (folder / "whole").write_text("x") and None)
    assert build_once(target, crash) == target
    assert [path.name for path in target.parent.iterdir()] == ["folder"] and (target / "whole").is_file()


def test_the_first_of_two_builders_wins(tmp_path: Path) -> None:
    target = tmp_path / "folder"

    def slow(folder: Path) -> None:
        (folder / "slow").write_text("")
        build_once(target, lambda other: (other / "fast").write_text("x") and None)

    build_once(target, slow)
    assert [path.name for path in target.iterdir()] == ["fast"] and list(tmp_path.iterdir()) == [target]
