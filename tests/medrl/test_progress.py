import pytest

from medrl.progress import Progress, tracked


def test_without_a_terminal_it_prints_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("eval", 3, "episode") as progress:
        progress.advance()
        progress.advance(2, loss=0.12345)
    shown = capsys.readouterr().err
    assert "\r" not in shown
    assert shown.splitlines()[0].startswith("eval: 0/3 episode [")
    assert shown.splitlines()[-1].startswith("eval: 3/3 episode [")
    assert "loss=0.1235" in shown.splitlines()[-1]


def test_the_total_follows_what_a_share_of_it_came_to(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("grpo", 100, "episode") as progress:
        progress.advance(30)
        progress.expect(0.25)
    assert capsys.readouterr().err.splitlines()[-1].startswith("grpo: 30/120 episode [")


def test_it_closes_on_an_error_and_lets_it_through(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        with Progress("sft", 3, "update") as progress:
            progress.advance()
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        interrupted()
    assert "sft: 1/3 update" in capsys.readouterr().err


def test_what_has_no_known_total_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert sum(tracked(range(1500), "indexed", None, "document", brief=False)) == 1124250
    assert capsys.readouterr().err.splitlines()[-1].startswith("indexed: 1.50k document [")


def test_items_count_once_they_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    items = tracked("ab", "read", 2, "line", brief=False)
    assert next(items) == "a"
    items.close()
    assert capsys.readouterr().err.splitlines()[-1].startswith("read: 0/2 line [")
    assert list(tracked("ab", "read", 2, "line", brief=False)) == ["a", "b"]
    assert capsys.readouterr().err.splitlines()[-1].startswith("read: 2/2 line [")


def test_of_what_is_over_at_once_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tracked("ab", "read", 2, "line")) == ["a", "b"]
    assert capsys.readouterr().err == ""
