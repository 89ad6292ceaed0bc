import shutil
from pathlib import Path

import pytest

from launch.rundir import RunDirectory
from medrl.config import Config, load
from medrl.errors import ConfigError, DataError


def config(path: Path, **settings: object) -> Config:
    return Config.model_validate({"name": "test", "run_dir": str(path), **settings})


def test_a_finished_stage_is_not_done_again(tmp_path: Path) -> None:
    with RunDirectory(config(tmp_path)) as first:
        with first.stage("data") as kept:
            kept["questions"] = 3
        with pytest.raises(RuntimeError), first.stage("sft"):
            raise RuntimeError("interrupted")
    with RunDirectory(config(tmp_path)) as again:
        assert again.done("data") and again.stages["data"]["questions"] == 3 and again.wall_s["data"] >= 0.0
        assert not again.done("sft")


def test_a_stage_counts_what_earlier_commands_spent_on_it(tmp_path: Path) -> None:
    with RunDirectory(config(tmp_path)) as run_dir:
        with run_dir.stage("grpo") as kept:
            kept |= {"steps": 3, "before_s": 100.0}
        assert 100.0 <= run_dir.wall_s["grpo"] < 101.0
        assert set(run_dir.stages["grpo"]) == {"wall_s", "steps"}


def test_a_torn_record_of_stages_is_named(tmp_path: Path) -> None:
    with RunDirectory(config(tmp_path)) as first, first.stage("data"):
        pass
    (tmp_path / "stages.json").write_text('{"data": {"wa')
    for _ in range(2):  # and the folder is let go of
        with pytest.raises(DataError, match=r"stages.json: not JSON .*delete .* and start again"):
            RunDirectory(config(tmp_path))


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    RunDirectory(config(tmp_path)).close()
    with pytest.raises(ConfigError, match=r"other settings \(seed\)"):
        RunDirectory(config(tmp_path, seed=1))
    RunDirectory(config(tmp_path)).close()


def test_a_run_may_go_on_with_other_deadlines(tmp_path: Path) -> None:
    RunDirectory(config(tmp_path)).close()
    RunDirectory(config(tmp_path, pool={"request_timeout_s": 150.0})).close()
    assert load(tmp_path / "config.yaml").pool.request_timeout_s == 150.0


def test_a_finished_run_may_be_evaluated_with_other_models_and_another_judge(tmp_path: Path) -> None:
    RunDirectory(config(tmp_path)).close()
    model = {"url": "http://127.0.0.1:8000/v1", "model": "m"}
    RunDirectory(config(tmp_path, eval={"models": [model], "judge": model})).close()
    with pytest.raises(ConfigError, match=r"other settings \(eval\.questions\)"):
        RunDirectory(config(tmp_path, eval={"questions": 3}))


def test_a_run_may_go_on_with_a_more_patient_judge_and_not_with_another(tmp_path: Path) -> None:
    judge = {"url": "http://127.0.0.1:8000/v1", "model": "expert"}
    RunDirectory(config(tmp_path, reward={"judge": judge})).close()
    RunDirectory(config(tmp_path, reward={"judge": judge | {"attempts": 2, "key_variable": "OTHER"}})).close()
    for other, named in (({"judge": judge | {"model": "layman"}}, "reward.judge.model"), ({}, "reward.judge")):
        with pytest.raises(ConfigError, match=rf"other settings \({named}\)"):
            RunDirectory(config(tmp_path, reward=other))


def test_a_run_may_go_on_with_a_more_patient_network_and_reader_and_not_with_another_reader(tmp_path: Path) -> None:
    reader = {"url": "http://127.0.0.1:8000/v1", "model": "reader"}
    RunDirectory(config(tmp_path, knowledge={"reader": reader})).close()
    patient = {"reader": reader | {"timeout_s": 300.0}, "network": {"attempts": 9}}
    RunDirectory(config(tmp_path, knowledge=patient)).close()
    for change in ({"model": "other"}, {"temperature": 0.1}, None):
        other, named = ({"reader": reader | change}, next(iter(change))) if change else ({}, "reader")
        with pytest.raises(ConfigError, match=rf"other settings \(knowledge\..*{named}\)"):
            RunDirectory(config(tmp_path, knowledge=other))


def test_two_commands_do_not_work_in_one_folder(tmp_path: Path) -> None:
    with RunDirectory(config(tmp_path)), pytest.raises(ConfigError, match="another medrl is at work"):
        RunDirectory(config(tmp_path))
    RunDirectory(config(tmp_path)).close()


def test_a_data_folder_belongs_to_one_run(tmp_path: Path) -> None:
    out = str(tmp_path / "data")
    one, two = ({"run_dir": str(tmp_path / name), "out": out} for name in ("one", "two"))
    with RunDirectory(config(tmp_path, **one)), pytest.raises(ConfigError, match=r"at work in .*data; .* out=another"):
        RunDirectory(config(tmp_path, **two))
    RunDirectory(config(tmp_path, **one)).close()  # the lock went with the one that was refused
    with pytest.raises(ConfigError, match=r"out=.*data holds the data of .*one: give out=another"):
        RunDirectory(config(tmp_path, **two))
    shutil.rmtree(tmp_path / "one")
    RunDirectory(config(tmp_path, **two)).close()
