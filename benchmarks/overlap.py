"""What playing while learning brings when tools are slow: `PYTHONPATH=. python benchmarks/overlap.py`.

A small policy is fine-tuned until it calls tools, then trained by GRPO twice in one session, synchronously and
asynchronously: real engine, real learner, real tools, to each of whose answers a wait is added, drawn from a log-normal
with a mean of 1 s and a 99th percentile of 10 s. The last line is trajectories/s, async over sync.
"""

import argparse
import asyncio
import json
import os
import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback only; Ray reads it when imported

from actors import placement
from actors.learner import LearnerGroup
from envs.toolbox import open_toolbox
from envs.tools.base import Tool, ToolResult
from kisa.dataset import load_dataset
from launch import pipeline, stages
from launch.checkpoints import Checkpoints
from launch.players import start_players
from launch.tracking import Tracker
from launch.train import Trainer
from launch.trajectories import TrajectoryLog
from medrl.config import Config, parse
from medrl.sections.knowledge import KnowledgeConfig
from tests.test_end_to_end import config as tiny_config
from tests.tiny import save_tiny

SIGMA, MU = 1.429, -1.021  # mean exp(MU + SIGMA²/2) = 1 s, 99th percentile exp(MU + 2.326 SIGMA) = 10 s


class SlowTool:
    """A tool whose answers take a random time more."""

    def __init__(self, tool: Tool, rng: random.Random) -> None:
        self.name, self.description, self.parameters = tool.name, tool.description, tool.parameters
        self._tool, self._rng = tool, rng

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        await asyncio.sleep(self._rng.lognormvariate(MU, SIGMA))
        return await self._tool.call(arguments)


def open_slow_tools(folder: Path, config: KnowledgeConfig) -> dict[str, Tool]:
    """The toolbox, slowed down."""
    rng = random.Random(0)
    return {name: SlowTool(tool, rng) for name, tool in open_toolbox(folder, config).items()}


def settings(folder: Path, steps: int, **grpo: Any) -> Config:
    """Small everywhere; 16 episodes a step."""
    values = tiny_config(folder, diseases=80).model_dump()
    save_tiny(folder / "model", hidden=128, layers=4)
    values["kisa"] |= {"train_questions": 64}
    values["sft"] |= {"updates": 200, "batch_trajectories": 8, "lr": 3e-3}
    values["grpo"] |= {"steps": steps, "groups_per_step": 4, "group_size": 4, "lr": 1e-5, "temperature": 0.7} | grpo
    values["pool"] |= {"max_sequences": 64, "kv_cache_gb": 0.5}
    values["rollout"] |= {"episodes_in_flight": 128}
    values["checkpoint"] |= {"every": 1000}
    return parse(values, "the benchmark")


def measure(config: Config, schedule: str, model: Path, knowledge: Path, folder: Path) -> float:
    """Trajectories a second; prints staleness and idle share."""
    own = folder / schedule
    values = config.model_dump() | {"run_dir": str(own)}
    values["grpo"] |= {"schedule": schedule}
    run = parse(values, "the benchmark")
    with (
        placement.session(run),
        start_players(run, model, knowledge, open_slow_tools) as players,
        Tracker(run, own) as tracker,
    ):
        questions = load_dataset(config.run_path / "data").train
        trainer = Trainer(run, players, questions, tracker, TrajectoryLog(own), Checkpoints(own / "checkpoints"))
        learner = LearnerGroup(run, model)
        asyncio.run(trainer.train(learner))
        learner.close()
    lines = [json.loads(line) for line in (own / "metrics.jsonl").read_text().splitlines()]
    lines = lines[1:]  # the first step starts from nothing
    seconds = sum(line["timing_s/step"] for line in lines)
    episodes = sum(line["rollout/episodes"] for line in lines)
    learning = sum(line["timing_s/learn"] for line in lines)
    stale = max(line["async/staleness_max"] for line in lines)
    bound = run.grpo.staleness
    assert stale <= bound
    calls = sum(line["rollout/tool_calls"] for line in lines) / len(lines)
    print(
        f"{schedule:6} {episodes / seconds:6.2f} trajectories/s  learner idle {1 - learning / seconds:4.0%}  "
        f"staleness at most {stale:.0f} of {bound} versions  {calls:.1f} calls an episode  "
        f"{episodes:.0f} episodes in {seconds:.0f} s"
    )
    return episodes / seconds


def main() -> None:
    """Fine-tune, then measure both schedules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=13, help="steps of each; the first is not counted")
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as name:
        config = settings(Path(name), steps)
        run = pipeline.run(config, stages.FINETUNE)
        model, knowledge = run.path / "checkpoints" / "sft", Path(run.stages["knowledge"]["folder"])
        rates = [measure(config, each, model, knowledge, Path(name)) for each in ("sync", "async")]
    print(f"ratio {rates[1] / rates[0]:.2f}")


if __name__ == "__main__":
    main()
