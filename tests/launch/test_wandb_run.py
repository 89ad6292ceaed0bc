"""Against what wandb itself keeps, offline."""

import json
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launch.tracking import Tracker
from launch.wandb_run import COLUMNS, FAMILIES, ROWS, SUMMARIES, TRANSCRIPT, rows, without_addresses
from medrl.config import Config, parse
from medrl.metrics import GLOSSARY
from medrl.types import Step, ToolCall
from tests import fakes
from tests.launch.wandb_records import records
from tests.medrl.episodes import group_of

ALL = {"group": "ablation", "tags": ["kl", "seed-1"], "tables_every": 2, "artifacts": "all"}


def config(**tracking: Any) -> Config:
    judge = {"url": "http://open-sesame.example/v1", "model": "m"}
    knowledge = {"addresses": {"pubmed": "http://mirror.open-sesame.example"}}
    values = {"name": "t", "reward": {"judge": judge}, "knowledge": knowledge, "tracking": tracking}
    return parse(values, "test")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two SFT updates, four GRPO steps, a table, both kinds of artifacts."""
    path = tmp_path_factory.mktemp("run")
    (path / "checkpoints" / "rl").mkdir(parents=True)
    (path / "checkpoints" / "rl" / "model.safetensors").write_bytes(b"weights" * 100)
    (path / "data").mkdir()
    (path / "data" / "questions.jsonl").write_text('{"id":"q1"}\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WANDB_API_KEY", raising=False)
        patch.setenv("SOME_TOKEN", "correct-horse-battery")
        with Tracker(config(**ALL), path) as tracker:
            tracker.log_data([path / "data" / "questions.jsonl"])
            for step in range(2):
                tracker.log({"sft/loss": 2.0 - step, "sft/lr": 1e-3}, step=step, stage="sft")
            for step in range(4):
                metrics = {"reward/total/mean": 1.0 - step, "timing_s/step": 2.0 * step, "tools/web_search/calls": 3.0}
                tracker.log(metrics, step=step, stage="grpo")
                tracker.log_episodes([group_of(fakes.question(), 0.0, 1.0)], step=step)
            tracker.log_checkpoint("rl", path / "checkpoints" / "rl")
    return path


def values(items: Any) -> dict[str, Any]:
    return {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


def test_every_key_has_the_step_of_its_stage(run: Path) -> None:
    defined = {metric.glob_name or metric.name: metric for metric in records(run, "metric")}
    assert "*" not in defined
    for name, metric in defined.items():
        if name not in ("sft/step", "trainer/step"):
            assert metric.step_metric == ("sft/step" if name.startswith("sft/") else "trainer/step"), name
    for key in GLOSSARY:
        assert key in defined or f"{key.partition('/')[0]}/*" in defined, key
    assert SUMMARIES.keys() <= GLOSSARY.keys()
    assert set(FAMILIES) >= {key.partition("/")[0] for key in GLOSSARY}


def test_the_summary_says_best_and_last(run: Path) -> None:
    summary: dict[str, Any] = {}
    for record in records(run, "summary"):
        summary |= values(record.update)
    assert summary["sft/loss"] == {"min": 1.0, "last": 1.0}
    assert summary["reward/total/mean"] == {"max": 1.0, "last": -2.0}
    assert summary["timing_s/step"] == {"mean": 3.0, "last": 6.0}
    assert summary["tools/web_search/calls"] == 3.0


def test_steps_of_both_stages_are_kept_apart(run: Path) -> None:
    history = [values(record.item) for record in records(run, "history")]
    sft = [line["sft/step"] for line in history if "sft/loss" in line]
    grpo = [line["trainer/step"] for line in history if "reward/total/mean" in line]
    assert (sft, grpo) == ([0, 1], [0, 1, 2, 3])
    assert [line["trainer/step"] for line in history if any(key.startswith("episodes/") for key in line)] == [1, 3]


def test_a_table_holds_the_episodes(run: Path) -> None:
    tables = sorted(run.glob("wandb/offline-run-*/files/media/table/*.table.json"))
    assert len(tables) == 2
    table = json.loads(tables[0].read_text())
    assert table["columns"] == COLUMNS and len(table["data"]) == 2
    episode = dict(zip(COLUMNS, table["data"][1], strict=True))
    question = fakes.question()
    assert (episode["question"], episode["gold"], episode["task"]) == (question.text, question.answer, 1.0)


def test_the_run_is_in_its_group_and_has_its_tags(run: Path) -> None:
    [record] = records(run, "run")
    assert (record.run_group, list(record.tags), record.display_name) == ("ablation", ["kl", "seed-1"], "t")


def test_artifacts_hold_data_and_name_the_weights(run: Path) -> None:
    found = {artifact.name: artifact for artifact in records(run, "artifact") if artifact.type != "run_table"}
    assert {name: artifact.type for name, artifact in found.items()} == {"t-data": "data", "t-rl": "model"}
    [data] = found["t-data"].manifest.contents
    assert (data.path, data.local_path) == ("questions.jsonl", str(run / "data" / "questions.jsonl"))
    [weights] = found["t-rl"].manifest.contents
    assert (weights.ref, weights.size) == ((run / "checkpoints" / "rl" / "model.safetensors").as_uri(), 700)
    assert not weights.local_path
    assert all(b"weightsweights" not in path.read_bytes() for path in (run / "wandb").rglob("*") if path.is_file())


def test_nothing_else_goes_there(run: Path) -> None:
    written = [path for path in (run / "wandb").rglob("*") if path.is_file()]
    assert not [path for path in written if path.name in ("requirements.txt", "wandb-metadata.json", "output.log")]
    [record] = records(run, "run")
    assert record.host != socket.gethostname() or not record.host
    for path in written:
        for secret in (b"correct-horse-battery", b"open-sesame"):
            assert secret not in path.read_bytes(), path


def test_by_default_no_artifact_is_made_and_every_fifth_step_has_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    (tmp_path / "questions.jsonl").write_text("{}\n")
    with Tracker(config(), tmp_path) as tracker:
        tracker.log_data([tmp_path / "questions.jsonl"])
        tracker.log_checkpoint("rl", tmp_path)
        for step in range(11):
            tracker.log_episodes([group_of(fakes.question(), 0.0, 1.0)], step=step)
    assert {artifact.type for artifact in records(tmp_path, "artifact")} == {"run_table"}
    history = [values(record.item) for record in records(tmp_path, "history")]
    assert [line["trainer/step"] for line in history] == [4, 9]


def test_rows_are_whole_groups_and_a_long_transcript_is_cut() -> None:
    group = group_of(fakes.question(), *([0.0] * 30))
    many = list(rows([group] * 5, step=7))
    assert len(many) == 60 <= ROWS and all(len(row) == len(COLUMNS) for row in many)
    long = Step("I look.", ToolCall("web_search", {"query": "x"}), "é" * 3000, "ok")
    told = replace(group.rollouts[0], steps=[long, Step("Done.", None, "", "answer")])
    [row] = rows([replace(group, rollouts=(told,))], step=7)
    transcript = row[COLUMNS.index("transcript")]
    assert transcript.startswith("I look.\n> ééé") and len(transcript) == TRANSCRIPT and transcript.endswith("é…")
    short = replace(told, steps=[Step("I look.", None, "seen", "ok"), Step("Done.", None, "", "answer")])
    [row] = rows([replace(group, rollouts=(short,))], step=7)
    assert row[COLUMNS.index("transcript")] == "I look.\n> seen\nDone."
    assert row[COLUMNS.index("turns")] == 2


@pytest.mark.parametrize("fault", [None, ValueError("no")])
def test_a_command_that_failed_is_shown_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception | None
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with suppress(ValueError), Tracker(config(), tmp_path):
        if fault is not None:
            raise fault
    [left] = records(tmp_path, "exit")
    assert left.exit_code == (0 if fault is None else 1)


def test_addresses_are_left_out_wherever_they_stand() -> None:
    settings = {"a": [{"url": "x", "m": 1}, "https://x.example", "y"], "b": ("s3://x", "z"), "c": "http://x", "d": 2}
    assert without_addresses(settings) == {"a": [{"m": 1}, "y"], "b": ["z"], "d": 2}
