"""What one run directory takes over from another that did its first stages.

Files that are only ever replaced are linked, so weights take no room twice; metrics.jsonl, which is appended to, is
copied, and so is what was learnt from ratings, where both read the same ones. stages.json comes last: until it is
there, nothing was taken over, and what lies there is put there again.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from launch.sweeps.jobs import finished_stages
from medrl.errors import DataError
from medrl.experts import EXPERT_FILE
from medrl.records import read_jsonl, write_json, write_jsonl
from medrl.rewards import Weights, composite
from medrl.types import Rollout

_LINKED = ("data", "checkpoints/sft")


def take_over(source: Path, stages: Sequence[str], target: Path, weights: Weights) -> None:
    """Make `stages` of the run `source` those of `target`, unless it has stages of its own already. Rewards of episodes
    are added up by `weights`. Raises DataError if a stage is not finished."""
    if finished_stages(target):
        return
    finished = finished_stages(source)
    if missing := [stage for stage in stages if stage not in finished]:
        raise DataError(f"{source}: stage {missing[0]} is not done; give the same command again")
    for folder in _LINKED:
        if (source / folder).is_dir():
            shutil.rmtree(target / folder, ignore_errors=True)
            shutil.copytree(source / folder, target / folder, copy_function=_link)
    if "sft" in stages and (source / EXPERT_FILE).exists():  # else a rating given meanwhile would set trials apart
        shutil.copyfile(source / EXPERT_FILE, target / EXPERT_FILE)
    for path in (source / "trajectories").glob("*.jsonl"):
        write_jsonl(target / "trajectories" / path.name, [_scored(each, weights) for each in read_jsonl(path, Rollout)])
    if (source / "metrics.jsonl").exists():
        shutil.copyfile(source / "metrics.jsonl", target / "metrics.jsonl")
    write_json(target / "stages.json", {stage: finished[stage] for stage in stages})


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _scored(rollout: Rollout, weights: Weights) -> Rollout:
    reward = rollout.reward
    if reward is None:
        return rollout
    total = composite(reward.task, reward.expert, reward.efficiency, weights=weights)
    return replace(rollout, reward=replace(reward, total=total))
