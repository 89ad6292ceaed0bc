import re
from pathlib import Path
from typing import Any

import pytest

from launch.sweeps.definition import SweepFile
from launch.sweeps.jobs import _AFTER_DATA, _AFTER_SFT, DATA, FINETUNED, Job, jobs_of, stage_key
from launch.sweeps.trials import run_config, trials_of
from medrl.sections.episodes import RewardConfig
from medrl.sections.learning import GRPOConfig

ROOT = Path(__file__).parents[3]
FILE = SweepFile(name="s", recipe="quickstart", cases={"a": {}})


def keys(values: dict[str, Any], seed: int = 0) -> tuple[str, str]:
    config = run_config(FILE, values, seed, "x", ())
    return stage_key(config, DATA), stage_key(config, FINETUNED)


@pytest.mark.parametrize(
    ("values", "same_data", "same_sft"),
    [
        ({"grpo.lr": 0.1}, True, True),
        ({"grpo.kl": 0.1}, True, True),
        ({"grpo.correction.kind": "icepop"}, True, True),
        ({"curriculum.enabled": False}, True, True),
        ({"reward.expert": 0.7}, True, True),
        ({"grpo.temperature": 0.7}, True, False),  # what the fine-tuned model is sampled at
        ({"sft.updates": 3}, True, False),
        ({"eval.samples": 3}, True, False),
        ({"learner.ranks": 2}, True, False),
        ({"reward.irrelevant_below": 0.1}, True, False),  # episodes are played with advice then
        ({"pool.max_sequences": 8}, False, False),
        ({"kisa.exploration_fraction": 0.5}, False, False),
        ({"knowledge.lam": 0.5}, False, False),
        ({"env.max_turns": 5}, False, False),
        ({"model.max_length": 512}, False, False),
    ],
)
def test_a_stage_is_shared_by_those_that_agree_in_what_it_depends_on(
    values: dict[str, Any], same_data: bool, same_sft: bool
) -> None:
    data, sft = keys({})
    assert (keys(values)[0] == data, keys(values)[1] == sft) == (same_data, same_sft)


def test_no_stage_is_shared_over_seeds() -> None:
    assert not set(keys({})) & set(keys({}, seed=1))


def test_synthesis_reads_none_of_the_sections_it_is_said_not_to_read() -> None:
    sections = "|".join(_AFTER_DATA)
    for package in ("kisa", "envs"):
        for path in (ROOT / package).rglob("*.py"):
            assert not re.search(rf"\bconfig\.({sections})\b", path.read_text()), path


def test_every_setting_of_grpo_and_of_the_reward_is_decided_on() -> None:
    """A new one makes trials fine-tune apart until it is put on the list, or here."""
    assert set(GRPOConfig.model_fields) - _AFTER_SFT["grpo"] == {"temperature"}
    judged = {"judge", "efficiency_judge", "irrelevant_below"}
    assert judged <= set(RewardConfig.model_fields) - _AFTER_SFT["reward"]


def waves(cases: dict[str, dict[str, Any]], seeds: list[int]) -> list[list[Job]]:
    file = SweepFile(name="s", recipe="quickstart", cases=cases, seeds=seeds)
    return jobs_of(file, trials_of(file))


def test_parts_take_over_from_parts_and_trials_from_the_furthest() -> None:
    cases: dict[str, dict[str, Any]] = {"a": {}, "b": {"grpo.lr": 0.1}, "c": {"sft.lr": 0.1}}
    data, sft, trials = waves(cases, [0])
    assert [job.stages for job in (*data, *sft)] == [DATA, FINETUNED]
    assert sft[0].takes is data[0]
    assert sft[0].own == ("eval_base", "sft", "eval_sft")
    assert [trial.takes for trial in trials] == [sft[0], sft[0], data[0]]
    assert trials[2].own == ("eval_base", "sft", "eval_sft", "grpo", "eval_rl", "report")


def test_what_nobody_else_has_is_done_by_the_trial_itself() -> None:
    ((a, b),) = waves({"a": {}, "b": {"kisa.walks": 3}}, [0])
    assert a.takes is None and b.takes is None and a.own == a.stages


def test_a_part_is_the_same_whichever_trial_comes_first() -> None:
    cases: dict[str, dict[str, Any]] = {"a": {"grpo.steps": 3, "reward.expert": 0.5}, "b": {"grpo.steps": 9}}
    (forth,), _ = waves(cases, [0])
    (back,), _ = waves(dict(reversed(cases.items())), [0])
    assert forth == back
    assert forth.config.grpo.steps == 12  # the recipe's


def test_a_part_does_what_its_trials_would_do() -> None:
    cases: dict[str, dict[str, Any]] = {
        "a": {"sft.updates": 3, "grpo.temperature": 0.8},
        "b": {"sft.updates": 3, "grpo.temperature": 0.8, "grpo.lr": 0.1},
    }
    (part,), (trial, _) = waves(cases, [5])
    assert part.config.sft == trial.config.sft and part.config.seed == 5 and part.config.grpo.temperature == 0.8
    assert stage_key(part.config, FINETUNED) == stage_key(trial.config, FINETUNED)
    assert (part.config.tracking.group, part.config.tracking.tags) == ("s", ("shared",))
