import argparse
import errno
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from launch import cli, recipe
from launch.commands import stages
from launch.sweeps.shipped import sweep_names
from medrl.errors import ConfigError, Stalled
from tests.launch.sample_run import write_sample_run


def raising(error: BaseException) -> Any:
    def run_stages(command: str, config: object) -> None:
        raise error

    return run_stages


@pytest.mark.parametrize("arguments", [["plan", "nope"], ["plan", "quickstart", "grpo.stepz=3"], ["train", "nope"]])
def test_what_the_user_can_mend_is_one_line_and_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("medrl: ")
    assert shown.err.count("\n") == 1


def test_a_run_s_folder_takes_no_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(tmp_path), "grpo.stepz=9"]) == 2
    assert capsys.readouterr().err == "medrl: grpo.stepz=9: a run directory has its settings; leave this out\n"


def test_a_full_disk_names_the_run_directory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stages, "run_stages", raising(OSError(errno.ENOSPC, "No space left on device")))
    assert cli.main(["train", "quickstart", "run_dir=/somewhere/run"]) == 2
    assert "the disk is full below /somewhere/run: make room" in capsys.readouterr().err


class FromRay(ConfigError):
    """The shape of what Ray raises: a subclass of the actor's error, with a traceback as its text."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("Traceback ...\n  File ...\n")
        self.cause = cause


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (FromRay(ConfigError("need 10 GPUs")), 2, "medrl: need 10 GPUs\n"),
        (Stalled("engine-0 gave no reply in 180 s"), 1, "medrl: engine-0 gave no reply in 180 s\n"),
        (Stalled("the server said \x1b[2Jdone\x9b"), 1, "medrl: the server said [2Jdone\n"),
        (KeyboardInterrupt(), 130, "medrl: interrupted; the same command goes on where this one stopped\n"),
    ],
)
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    monkeypatch.setattr(stages, "run_stages", raising(error))
    assert cli.main(["quickstart"]) == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("arguments", "is_kept"),
    [
        (["train", "quickstart"], True),
        (["eval", "quickstart"], True),
        (["sweep", "tiny"], True),
        (["count", "a.xml"], True),
        (["plan", "quickstart"], False),
        (["ask", "Which gene?", "--model", "runs/x"], False),
        (["export", "qa", "quickstart"], False),
        (["index", "build", "a.xml", "--to", "b"], False),
    ],
)
def test_only_a_command_that_keeps_its_work_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], is_kept: bool
) -> None:
    def interrupted(options: Any) -> None:
        raise KeyboardInterrupt

    parsed = cli._parser().parse_args(arguments)
    parsed.run = interrupted
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", lambda *_: parsed)
    assert cli.main(arguments) == 130
    assert capsys.readouterr().err == "medrl: interrupted" + (
        "; the same command goes on where this one stopped\n" if is_kept else "\n"
    )


def test_settings_are_not_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["plan"])
    assert capsys.readouterr().err.endswith("the following arguments are required: RECIPE\n")


def test_every_command_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("quickstart", "plan", "report", "dashboard", "ask", "serve", "review", "sweep", "count"):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        usage, described, *_ = capsys.readouterr().out.split("\n\n")
        assert usage.startswith("usage: ") and not described.startswith(("positional", "options")), command


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (ZeroDivisionError(), PermissionError(errno.EACCES, "no")):
        monkeypatch.setattr(stages, "run_stages", raising(error))
        with pytest.raises(type(error)):
            cli.main(["quickstart"])


def test_report_takes_a_folder_or_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_sample_run(tmp_path / "one")
    assert cli.main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    (run / "report.html").unlink()
    assert cli.main(["report", "quickstart", f"run_dir={run}"]) == 0
    assert (run / "report.html").exists()


def test_the_default_of_quickstart_is_its_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(stages, "run_stages", lambda command, config: asked.append((command, config)))
    assert cli.main(["quickstart", "grpo.steps=2"]) == 0
    assert asked == [("quickstart", recipe.load_recipe("quickstart", ["grpo.steps=2"]))]


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom launch.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'ray', 'vllm', 'transformers', 'pydantic', 'wandb'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "examples:" in done.stdout


def test_help_of_sweep_lists_those_that_come_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["sweep", "--help"])
    listed = re.split(r"[,.\s]+", capsys.readouterr().out.rpartition("come with medrl:")[2].strip(" .\n"))
    assert listed == sweep_names() and "reward_weights" in listed
