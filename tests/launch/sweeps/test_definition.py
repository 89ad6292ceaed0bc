from pathlib import Path
from typing import Any

import pytest
import yaml

from launch import cli
from launch.sweeps.definition import read_sweep, settings_of
from launch.sweeps.jobs import FINETUNED, jobs_of
from launch.sweeps.plan import trials_at_once
from launch.sweeps.shipped import FOLDER, sweep_names
from launch.sweeps.sweep import plan_sweep
from launch.sweeps.trials import trials_of
from medrl.errors import ConfigError

PLAIN: dict[str, Any] = {"name": "s", "recipe": "quickstart", "grid": {"grpo.divide_by_std": [False, True]}}


def write(folder: Path, **values: Any) -> Path:
    path = folder / "s.yaml"
    there = {key: value for key, value in (PLAIN | values).items() if value is not None}
    path.write_text(yaml.safe_dump(there, sort_keys=False))
    return path


def names(path: Path) -> list[str]:
    return [setting.name for setting in settings_of(read_sweep(path))]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"grids": {}}, "unknown key grids; did you mean grid? there are name, recipe"),
        ({"zzz": {}}, "unknown key zzz; there are name, recipe"),
        ({"grid": None}, "varied by nothing: give one of grid, random, cases"),
        ({"cases": {"a": {}}}, "varied by grid and cases"),
        ({"samples": 3}, "samples goes with random"),
        ({"seeds": [1, 1]}, "one is there twice"),
        ({"seeds": []}, "seeds"),
        ({"settings": {"seed": 3}}, "seed is set by the sweep itself"),
        ({"grid": {"run_dir": ["a"]}}, "run_dir is set by the sweep itself"),
        ({"grid": None, "random": {"grpo.lr": {"uniform": [2, 1]}}, "samples": 1}, "low must be below high"),
        (
            {"grid": None, "random": {"grpo.lr": {"uniform": [1, 2], "choice": [1]}}, "samples": 1},
            "give one of uniform",
        ),
        ({"at_once": 0}, "at_once"),
        ({"metric": "r1.greedy.pass_at_1"}, "metric r1.greedy.pass_at_1: summary.json has base, sft, rl, "),
        ({"metric": "rl.sampled.pass_at_3"}, "a question is played 2 times; raise eval.samples"),
        ({"metric": "base.sampled.pass_at_1"}, "a question is played 0 times"),
        ({"at_once": 2, "settings": {"pool.kv_cache_gb": 900}}, "2 trials at once need about"),
        ({"baseline": "nope"}, "baseline=nope is no setting; there are divide_by_std-off, divide_by_std-on"),
        ({"settings": {"grpo.stepz": 3}}, "medrl: s: settings: unknown key grpo.stepz; did you mean grpo.steps?"),
        ({"grid": {"grpo.stepz": [3]}}, "s, setting stepz-3: settings: unknown key grpo.stepz"),
        ({"grid": {"grpo.group_size": [1]}}, "setting group_size-1: settings: grpo.group_size=1: every advantage"),
        ({"recipe": "nope"}, "medrl: s: no recipe 'nope'"),
        ({"grid": None, "cases": {"a b": {}}}, "setting 'a b': use letters"),
        ({"grid": None, "cases": {"a\n": {}}}, "use letters"),
        ({"grid": None, "cases": {"a" * 65: {}}}, "more than 64 letters; name settings, under `cases`"),
        ({"grid": {"grpo.lr": [0.1, 0.1]}}, "two settings would be called lr-0.1"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(
    tmp_path: Path, values: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sweep", str(write(tmp_path, **values)), "--plan"]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    assert said in shown.err


def test_an_unknown_sweep_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no sweep 'nope': give one of .*group_baseline.*, or the path"):
        plan_sweep("nope")


def test_a_grid_is_every_combination_named_by_what_is_varied(tmp_path: Path) -> None:
    grid = {"grpo.lr": [0.1, 2e-5], "curriculum.enabled": [True, False]}
    assert names(write(tmp_path, grid=grid)) == [
        "lr-0.1_enabled-on", "lr-0.1_enabled-off", "lr-2e-05_enabled-on", "lr-2e-05_enabled-off",
    ]  # fmt: skip
    alike = {"grpo.lr": [0.1], "sft.lr": [0.2]}
    assert names(write(tmp_path, grid=alike)) == ["grpo.lr-0.1_sft.lr-0.2"]


def test_random_settings_are_the_same_at_every_reading(tmp_path: Path) -> None:
    ranges = {
        "reward.expert": {"uniform": [0, 1]}, "grpo.lr": {"loguniform": [1e-6, 1e-3]},
        "grpo.group_size": {"randint": [2, 9]}, "grpo.baseline": {"choice": ["mean", "leave_one_out"]},
    }  # fmt: skip
    path = write(tmp_path, grid=None, random=ranges, samples=30)
    first, again = (settings_of(read_sweep(path)) for _ in range(2))
    assert first == again
    drawn = [setting.values for setting in first]
    assert all(0 <= each["reward.expert"] <= 1 and 1e-6 <= each["grpo.lr"] <= 1e-3 for each in drawn)
    assert {each["grpo.group_size"] for each in drawn} <= set(range(2, 9))
    assert {each["grpo.baseline"] for each in drawn} == {"mean", "leave_one_out"}
    assert 5 < sum(each["grpo.lr"] < 3e-5 for each in drawn) < 25  # half of them, on the logarithm's scale
    assert len({each["reward.expert"] for each in drawn}) > 20


def test_the_baseline_comes_first_and_seeds_go_round_the_settings(tmp_path: Path) -> None:
    path = write(tmp_path, baseline="divide_by_std-on", seeds=[7, 3])
    trials = trials_of(read_sweep(path))
    assert [trial.name for trial in trials] == [
        "divide_by_std-on-seed7", "divide_by_std-off-seed7", "divide_by_std-on-seed3", "divide_by_std-off-seed3",
    ]  # fmt: skip
    first = trials[0].config
    assert (first.seed, first.grpo.divide_by_std) == (7, True)
    assert first.run_path == Path("runs/s/trials/divide_by_std-on-seed7")
    assert (first.tracking.group, first.tracking.tags) == ("s", ("divide_by_std-on", "seed7"))


def test_a_recipe_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\ngrpo: {steps: 77}\n")
    (trial, *_) = trials_of(read_sweep(write(tmp_path, recipe="mine.yaml")))
    assert trial.config.grpo.steps == 77


def test_every_sweep_that_comes_with_medrl_can_be_planned() -> None:
    for name in sweep_names():
        text = plan_sweep(name)
        assert f"  name                       {name}\n" in text, "a sweep is called as its file is"
        assert "memory, all at once" in text


@pytest.mark.parametrize("name", ["reward_weights", "group_baseline", "curriculum", "kl", "tiny"])
def test_what_varies_grpo_alone_fine_tunes_once_a_seed(name: str) -> None:
    file = read_sweep(FOLDER / f"{name}.yaml")
    parts, trials = jobs_of(file, trials_of(file))
    assert [job.stages for job in parts] == [FINETUNED] * len(file.seeds)
    assert all(job.own == ("grpo", "eval_rl", "report") for job in trials)


def test_every_trial_gets_the_gpus_of_the_one_that_needs_most(tmp_path: Path) -> None:
    settings = {"device": "cuda", "cluster.gpus_per_node": 8, "cluster.nodes": 2, "learner.ranks": 2}
    grid = {"pool.tensor_parallel": [1, 2]}
    path = write(tmp_path, settings=settings, grid=grid, seeds=[0, 1, 2, 3])
    file = read_sweep(path).model_copy(update={"at_once": None})
    assert trials_at_once(file, [trial.config for trial in trials_of(file)]) == 2 * (8 // 4)
    path = write(tmp_path, settings=settings, grid={"pool.tensor_parallel": [1, 8]})
    with pytest.raises(ConfigError, match="a trial needs 10 GPUs and stays on one node, which has 8"):
        plan_sweep(str(path))
