"""`medrl eval` with benchmarks: what is asked for, what is refused, and that without --on nothing has changed."""

from pathlib import Path
from typing import Any

import pytest

from launch import cli
from launch.benchmarks import evaluation
from launch.benchmarks.evaluation import Asked
from launch.commands import stages


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Asked:
    seen: list[Any] = []
    monkeypatch.setattr(evaluation, "evaluate_on", lambda config, want: seen.append(want))
    assert cli.main(["eval", "quickstart", *arguments]) == 0
    (want,) = seen
    assert isinstance(want, Asked)
    return want


def test_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    want = asked(monkeypatch, "--on", "medbrowsecomp=a.csv", "--on", "xbench=b=c.csv", "--first", "20")
    assert want == Asked((("medbrowsecomp", Path("a.csv")), ("xbench", Path("b=c.csv"))), first={"": 20})
    want = asked(monkeypatch, "--on", "heldout", "--agent", "sft", "--agent", "rl", "--tools", "all", "--tools", "none")
    assert want == Asked((("heldout", None),), ("sft", "rl"), ("all", "none"))


def test_the_first_questions_of_one_benchmark_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    on = ("--on", "medbrowsecomp=a.csv", "--on", "xbench=b.csv")
    assert asked(monkeypatch, *on, "--first", "xbench=20").first == {"xbench": 20}
    assert asked(monkeypatch, *on, "--first", "9", "--first", "xbench=20").first == {"": 9, "xbench": 20}
    assert asked(monkeypatch, "--compare", "--first", "heldout=3").first == {"heldout": 3}


def test_a_benchmark_s_own_number_comes_before_that_of_all() -> None:
    both = Asked((), first={"": 9, "xbench": 20})
    assert [both.first_of(name) for name in ("gaia", "xbench")] == [9, 20]
    one = Asked((), first={"xbench": 20})
    assert [one.first_of(name) for name in ("gaia", "xbench")] == [None, 20]


def test_several_samples_are_drawn_at_the_training_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, "grpo.temperature=0.8", "--on", "heldout", "--samples", "4").temperature == 0.8
    assert asked(monkeypatch, "--on", "heldout", "--samples", "4", "--temperature", "0.5").temperature == 0.5
    assert asked(monkeypatch, "--on", "heldout", "--temperature", "0.5").samples == 1


def test_the_paper_s_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    want = asked(monkeypatch, "--compare")
    assert want.on == (("heldout", None),) and want.agents == ("base", "sft", "rl")
    assert want.tools == ("all", "none", "medical_retriever", "web_search")
    assert asked(monkeypatch, "--compare", "--on", "gaia=x").on == (("gaia", Path("x")),)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--agent", "rl"], "--agent is of benchmarks: say which with --on NAME=FILE"),
        (["--first", "2"], "--on NAME=FILE; --on heldout alone plays the run's held-out questions"),
        (["--on", "gaia=x", "--first", "xbench=2"], "--first xbench: that benchmark is not played"),
        (["--on", "gaia=x", "--first", "gaia=2", "--first", "gaia=3"], "--first: gaia is there twice"),
        (["--on", "gaia=x", "--first", "2", "--first", "3"], "--first: a number for all benchmarks is there twice"),
        (["--on", "gaia=x", "--on", "gaia=./x"], "--on: gaia is there twice"),
        (["--on", "heldout", "--on", "heldout=data"], "--on: heldout is there twice"),
        (["--on", "heldout", "--samples", "2", "--temperature", "0"], "greedy samples are all the same"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["eval", "quickstart", f"run_dir={tmp_path}/run", *arguments]) == 2
    shown = capsys.readouterr().err
    assert said in shown and shown.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["--first", "0"], ["--first", "heldout="], ["--first", "heldout=x"], ["--samples", "x"], ["--temperature", "-1"]],
)
def test_numbers_that_are_none_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["eval", "quickstart", "--on", "heldout", *arguments])
    assert ended.value.code == 2 and "give " in capsys.readouterr().err


def test_without_benchmarks_eval_is_the_stage_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(stages, "run_stages", lambda command, config: seen.append(command))
    assert cli.main(["eval", "quickstart"]) == 0 and seen == ["eval"]
