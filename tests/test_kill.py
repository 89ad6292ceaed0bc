"""Any process may die at any moment: the run ends, and its weights are those of a run that nobody killed.

MEDRL_KILLS=50 pytest tests/test_kill.py -s       the whole test; one kill of each kind by default, and half as many
                                                  of the asynchronous run
"""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from envs.toolbox import SIGNATURES
from medrl.chat import system_prompt
from medrl.types import Rollout
from tests.killing import KillReport, kill, prepare
from tests.test_end_to_end import config
from tests.tiny import save_tiny

KILLS = int(os.environ.get("MEDRL_KILLS", "7"))  # one of each kind, and one while a checkpoint is written
STEPS, GROUPS, SAMPLES = 4 + 2 * KILLS, 2, 3
EPISODE = """<think>Need: disease, gene.</think>
<tool_call>{"name": "medical_retriever", "arguments": {"query": "Sign 45b seen in"}}</tool_call>
<tool_response>[1] Sign 45b (finding): Seen in: Disease 45.
[2] Disease 45 (OMIM:45): Cardiovascular findings: Sign 45b. Ocular findings: Sign 45a; Sign 45c.</tool_response>
<tool_call>{"name": "document_read", "arguments": {"document": "Disease 45", "goal": "gene"}}</tool_call>
<think>GEN45 is the gene of Disease 45.</think><answer>GEN45</answer>
"""
"""What the policy's tokens are learnt from: it has to learn to act in a minute."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + 90 * KILLS)]


def settings(folder: Path) -> dict[str, Any]:
    """The tiny configuration, with steps enough to be killed in."""
    values = config(folder, diseases=40 + 2 * STEPS).model_dump(exclude={"resume", "run_dir"})
    save_tiny(folder / "model", hidden=128, texts=[system_prompt(SIGNATURES), EPISODE])
    values["sft"] |= {"updates": 60, "batch_trajectories": 8, "lr": 3e-3}
    values["grpo"] |= {"steps": STEPS, "groups_per_step": GROUPS, "group_size": SAMPLES, "lr": 1e-4}
    values["kisa"] |= {"train_questions": STEPS * GROUPS + 8}
    values["checkpoint"] |= {"restarts": 20}
    values["learner"] |= {"ranks": 2, "zero_stage": 2}
    return values


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Settings, and a run directory with everything before GRPO."""
    folder = tmp_path_factory.mktemp("prepared")
    values = settings(folder)
    return values, prepare(folder, values)


def what_was_played(report: KillReport) -> list[list[tuple[str, int, list[int], float]]]:
    """Question, sample, tokens and reward of each episode, step by step."""

    def row(rollout: Rollout) -> tuple[str, int, list[int], float]:
        assert rollout.reward is not None
        return rollout.question_id, rollout.sample, rollout.token_ids, rollout.reward.total

    return [[row(each) for each in step] for step in report.rollouts]


def has_spread(step: list[Rollout]) -> bool:
    """Whether there is a group whose rewards differ, from which alone a step learns."""
    rewards: dict[str, set[float]] = {}
    for each in step:
        assert each.reward is not None
        rewards.setdefault(each.question_id, set()).add(each.reward.total)
    return any(len(found) > 1 for found in rewards.values())


def check(report: KillReport, staleness: int, kills: int = KILLS) -> None:
    assert sum(report.kills.values()) == kills
    print(f"\n{report}")
    assert not report.gave_up
    assert (report.run / "checkpoints" / "rl" / "model.safetensors").exists()
    assert not (report.run / "checkpoints" / "state" / "grpo").exists()
    assert len(report.rollouts) == STEPS
    assert set(report.trained.values()) == {1} and len(report.trained) == STEPS * GROUPS
    assert report.scored_outages == 0
    for step, rollouts in enumerate(report.rollouts):
        assert len(rollouts) == GROUPS * SAMPLES
        lags = {step - version for each in rollouts for version in each.versions if version >= 0}
        assert lags <= set(range(staleness + 1))


@pytest.mark.contract("8 faults", "synchronous run under SIGKILLs: weights equal an unkilled run's to the bit")
def test_a_synchronous_run_is_the_same_whoever_dies(
    prepared: tuple[dict[str, Any], Path], tmp_path: Path, record_property: Any
) -> None:
    values, run = prepared
    quiet = kill(tmp_path / "quiet", run, values, kills=0, seed=0)
    check(quiet, staleness=0, kills=0)
    killed = kill(tmp_path / "killed", run, values, KILLS, seed=1)
    check(killed, staleness=0)
    record_property("figure", str(killed))
    assert what_was_played(killed) == what_was_played(quiet)
    want, got = (load_file(each.run / "checkpoints" / "rl" / "model.safetensors") for each in (quiet, killed))
    assert all(torch.equal(want[name], got[name]) for name in want)
    assert sum(map(has_spread, killed.rollouts)) > STEPS / 2  # so that most steps changed the weights
    start = load_file(run / "checkpoints" / "sft" / "model.safetensors")
    assert any(not torch.equal(start[name], got[name]) for name in start)


@pytest.mark.long
@pytest.mark.contract("8 faults", "asynchronous run under SIGKILLs: every question learnt from once, no outage scored")
def test_an_asynchronous_run_learns_from_everything_once(
    prepared: tuple[dict[str, Any], Path], tmp_path: Path, record_property: Any
) -> None:
    values, run = prepared
    values = values | {"grpo": values["grpo"] | {"schedule": "async", "max_staleness": 2}}
    kills = (KILLS + 1) // 2
    killed = kill(tmp_path / "killed", run, values, kills, seed=2)
    check(killed, staleness=2, kills=kills)
    record_property("figure", str(killed))
