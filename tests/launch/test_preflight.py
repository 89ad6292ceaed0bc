import json
import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from envs.corpus import Document
from envs.folders import build_once
from envs.sources.disk import write_disk_index
from launch.advice import warnings
from launch.footprint import disk_bytes, host_memory, read_shape
from launch.model import resolve_model
from launch.preflight import check, check_fits, check_trainable, check_writable, memory_limit
from launch.recipe import load_recipe
from medrl.errors import ConfigError, DataError, UserError
from medrl.sections.machines import ModelConfig
from tests.launch.test_footprint import SHAPE

CONFIG = load_recipe("quickstart", ["model.max_length=512"])
NEEDED = sum(host_memory(CONFIG, SHAPE).values())
WRITTEN = sum(disk_bytes(CONFIG, SHAPE).values())


def test_what_fits_passes_and_a_byte_less_does_not() -> None:
    check_fits(CONFIG, SHAPE, free_bytes=WRITTEN, memory_bytes=NEEDED)
    with pytest.raises(ConfigError, match=r"may write .* GB, .* GB are free"):
        check_fits(CONFIG, SHAPE, free_bytes=WRITTEN - 1, memory_bytes=NEEDED)
    with pytest.raises(ConfigError, match=r"needs about .* GB of memory, the machine has"):
        check_fits(CONFIG, SHAPE, free_bytes=WRITTEN, memory_bytes=NEEDED - 1)


def test_episodes_longer_than_the_model_reads_are_refused() -> None:
    config = load_recipe("quickstart", ["model.max_length=513"])
    with pytest.raises(ConfigError, match="the model reads 512 tokens"):
        check_fits(config, SHAPE, free_bytes=1e15, memory_bytes=1e15)


@pytest.mark.parametrize(
    ("settings", "device", "said"),
    [
        ({"final_logit_softcapping": 30.0}, "cuda", "final_logit_softcapping=30.0"),
        ({"logits_scaling": 8.0}, "cpu", "logits_scaling=8.0"),
        ({"attn_logit_softcapping": 50.0}, "cpu", "attn_logit_softcapping=50.0"),
        ({"sliding_window": 4096}, "cpu", "sliding_window=4096"),
        ({"attention_dropout": 0.1}, "cpu", "attention_dropout=0.1"),
        ({"attention_dropout": 0.1}, "cuda", "attention_dropout=0.1"),
        ({"logit_scale": 0.0625}, "cuda", "logit_scale=0.0625"),
    ],
)
def test_a_network_the_learner_does_not_compute_is_refused(
    tmp_path: Path, settings: dict[str, object], device: str, said: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"} | settings))
    with pytest.raises(ConfigError, match=f"{said} in config.json is not supported on {device}"):
        check_trainable(tmp_path, device)


def test_settings_that_change_nothing_are_no_reason_to_refuse(tmp_path: Path) -> None:
    """Qwen2.5 names a window that it does not use; on GPU windows are transformers' own."""
    unused = {
        "model_type": "qwen2",
        "sliding_window": 131072,
        "use_sliding_window": False,
        "logits_scaling": 1.0,
        "attention_dropout": 0.0,
    }
    (tmp_path / "config.json").write_text(json.dumps(unused))
    check_trainable(tmp_path, "cpu")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2", "sliding_window": 4096}))
    check_trainable(tmp_path, "cuda")


@pytest.mark.parametrize("settings", [{"model_type": "foo"}, {}])
def test_a_network_that_transformers_does_not_know_is_refused(tmp_path: Path, settings: dict[str, object]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match="transformers .* knows no model_type (None|'foo')"):
        check_trainable(tmp_path, "cuda")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"run_dir=.*file/x: Not a directory"):
        check_writable(tmp_path / "file" / "x", "run_dir")
    check_writable(tmp_path / "new" / "deep", "run_dir")
    assert list((tmp_path / "new" / "deep").iterdir()) == []


def test_nothing_is_written_before_all_is_read(tmp_path: Path) -> None:
    """A missing ontology and an impossible curriculum are found before any folder is made."""
    for broken in (f"knowledge.ontology={tmp_path}/none", "curriculum.floor=0.5"):
        config = load_recipe("quickstart", [f"run_dir={tmp_path}/run", f"knowledge.cache={tmp_path}/cache", broken])
        with pytest.raises(UserError):
            check(config)
    assert list(tmp_path.iterdir()) == []


def test_the_limit_is_a_machines() -> None:
    assert 1e8 < memory_limit() < 1e14


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["knowledge.sources=[orange_book]", "knowledge.orange_book=/nowhere"], "/nowhere/products.txt: No such file"),
        (["knowledge.web.provider=tavily"], "put its key into the environment as TAVILY_API_KEY"),
        (
            ["knowledge.reader.url=https://api.openai.com/v1", "knowledge.reader.model=m"],
            "api.openai.com wants a key",
        ),
    ],
)
def test_what_a_live_source_lacks_is_said_before_a_run_and_by_the_plan(
    tmp_path: Path, settings: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    config = load_recipe("quickstart", [f"run_dir={tmp_path}", f"knowledge.cache={tmp_path}", *settings])
    with pytest.raises(UserError, match=said):
        check(config)
    warned = warnings(config, read_shape(resolve_model(ModelConfig(), Path("~/.cache/medrl"))))
    assert [said in line for line in warned if line.startswith("not on this machine: ")] == [True]


@pytest.mark.parametrize(("mode", "said"), [("replay", "nothing was recorded there"), ("cache", "not a record of")])
def test_a_recording_that_cannot_be_used_is_said_before_a_run(tmp_path: Path, mode: str, said: str) -> None:
    path = tmp_path / "answers.sqlite"
    if mode == "cache":
        sqlite3.connect(path).execute("CREATE TABLE mine (a)").connection.close()
    recording = [f"knowledge.recording.mode={mode}", f"knowledge.recording.path={path}"]
    config = load_recipe("quickstart", [f"run_dir={tmp_path}", f"knowledge.cache={tmp_path}", *recording])
    with pytest.raises(DataError, match=said):
        check(config)


def test_indexes_and_journals_are_opened_before_a_run(tmp_path: Path) -> None:
    article = Document("PMID:5", "Aortic surgery", ("It lasts.",), "pubmed", "")
    build_once(tmp_path / "other", lambda out: write_disk_index([article], out, lambda b: np.eye(len(b), 8), "another"))
    (tmp_path / "bad.tsv").write_text("Journal\tImpact\nLancet\thigh\n")
    for setting, said in (
        (f"knowledge.indexes=[{tmp_path}/none]", "none: no index; `medrl index build"),
        (f"knowledge.indexes=[{tmp_path}/other]", "other: its vectors are of another encoder than knowledge.encoder"),
        (f"knowledge.journals={tmp_path}/none", "none: No such file or directory; knowledge.journals names"),
        (f"knowledge.journals={tmp_path}/bad.tsv", "bad.tsv:2: give a title or ISSN"),
    ):
        config = load_recipe("quickstart", [f"run_dir={tmp_path}/run", f"knowledge.cache={tmp_path}/cache", setting])
        with pytest.raises(DataError, match=re.escape(said)):
            check(config)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bad.tsv", "other"]  # and nothing was written
