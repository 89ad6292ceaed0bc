"""Agents of a tiny model on a benchmark, through the command line: killed, gone on with, and finished."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from envs.benchmarks.scored import Scored
from launch import cli
from medrl.records import read_jsonl, whole_lines
from medrl.types import Ending, Rollout
from tests.killing import ROOT
from tests.misbehaving import MisbehavingServer, says, status
from tests.test_end_to_end import config

TOOLS = ("all", "none")


def write_benchmark(path: Path, questions: int = 5) -> Path:
    """MedBrowseComp's columns; the last prompt is longer than the tiny model can read."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["prompt", "gold"])
        for number in range(1, questions):
            gold = "NA" if number % 4 == 0 else f"GEN{number}"
            rows.writerow([f"Which gene causes Disease {number}? INGREDIENT: name.", gold])
        rows.writerow(["Which gene? " * 400 + "INGREDIENT: name.", "GEN1"])
    return path


def write_recipe(folder: Path) -> Path:
    settings = config(folder)
    pool = settings.pool.model_copy(update={"max_sequences": 2})  # so that there is time to kill it
    recipe = folder / "recipe.yaml"
    recipe.write_text(settings.model_copy(update={"pool": pool}).to_yaml(), encoding="utf-8")
    return recipe


def arguments(recipe: Path, benchmark: Path) -> list[str]:
    return ["eval", str(recipe), "--on", f"medbrowsecomp={benchmark}", *(f"--tools={each}" for each in TOOLS)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_it_goes_on_and_plays_nothing_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, benchmark = write_recipe(tmp_path), write_benchmark(tmp_path / "questions.csv")
    command = arguments(recipe, benchmark)
    folder = tmp_path / "run" / "benchmarks" / "medbrowsecomp"
    first = folder / "base-all" / "items.jsonl"
    script = [sys.executable, "-c", "import sys; from launch.cli import main; sys.exit(main())", *command]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    with (tmp_path / "log").open("wb") as log:
        driver = subprocess.Popen(script, env=environment, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 400
        while len(whole_lines(first)) < 2 and driver.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    begun = {each: whole_lines(folder / f"base-{each}" / "items.jsonl") for each in TOOLS}
    assert 2 <= sum(map(len, begun.values())) < 10, (tmp_path / "log").read_text(errors="replace")[-2000:]

    assert cli.main(command) == 0
    shown = capsys.readouterr().out
    assert "says NA to everything" in shown and "Base, no tools" in shown and "not played" not in shown
    for each in TOOLS:
        place = folder / f"base-{each}"
        assert whole_lines(place / "items.jsonl")[: len(begun[each])] == begun[each]
        lines = list(read_jsonl(place / "items.jsonl", Scored))
        episodes = list(read_jsonl(place / "trajectories.jsonl", Rollout))
        assert len(lines) == len(episodes) == 5
        assert set(Counter(line.item_id for line in lines).values()) == {1}
        assert set(Counter(episode.question_id for episode in episodes).values()) == {1}
        long = next(line for line in lines if line.item_id == "medbrowsecomp-0005")
        assert (long.ending, long.prediction, long.tokens) == (Ending.TOKEN_LIMIT, None, 0)
    assert not (tmp_path / "run" / "data").exists()  # a benchmark's questions are no data to train on

    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert cli.main(command) == 0  # nothing is missing: scored again, and nothing is started
    begins = shown.index("medbrowsecomp: 5 questions")  # before it stands what libraries say when they are imported
    assert capsys.readouterr().out == shown[begins:]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_behind_an_endpoint_and_an_outage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, benchmark = write_recipe(tmp_path), write_benchmark(tmp_path / "questions.csv")
    down = True

    def behave(asked: object) -> object:
        broken = down and "Disease 2?" in str(asked)
        return status(503) if broken else says("<think>so</think><answer>GEN1</answer>")

    with MisbehavingServer(behave) as server:  # type: ignore[arg-type]
        models = f"eval.models=[{{url: {server.url}, model: m, backoff_s: 0, attempts: 2}}]"
        command = ["eval", str(recipe), models, "--on", f"medbrowsecomp={benchmark}", "--agent", "m"]
        assert cli.main(command) == 1
        shown = capsys.readouterr()
        assert "medrl: not played, and in no figure: 1, the first medbrowsecomp/m-all/medbrowsecomp-0002-0" in shown.err
        assert "The same command goes on with them" in shown.err and "not played" in shown.out
        asked = len(server.requests)
        down = False
        assert cli.main(command) == 0
        assert len(server.requests) == asked + 1
    out = capsys.readouterr().out
    assert "not played" not in out and "m, all tools" in out
    report = (tmp_path / "run" / "benchmarks" / "report.md").read_text(encoding="utf-8")
    assert "| m, all tools | 5 | 0.200 [" in report
