"""How the flow of groups scales with rollout workers and nodes: `PYTHONPATH=. python benchmarks/scale.py`.

A simulation of the engine alone: it says scripted turns and takes as long over them as the paper's 32B model would
with hundreds at once (50 ms a token, more or less by episode, 0.5 s to read a prompt), without a limit on how many.
Tools are scripted too, with a log-normal wait, mean 1 s. Workers, environment, reward, curriculum, buffer and
controller are the real ones, on Ray clusters of one to four nodes (raylets of this machine). Printed: trajectories/s,
the share of linear, CPU of the controller a trajectory.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback only; Ray reads it when imported

import psutil
import ray
from ray.cluster_utils import Cluster
from transformers import AutoTokenizer

from actors.curriculum import CurriculumService
from actors.reward import RewardService
from actors.rollout import RolloutWorkers
from envs.tools.base import Tool, ToolResult
from launch.flow import Flow
from launch.players import Players
from medrl.buffer import BufferState
from medrl.chat import ChatCodec
from medrl.config import Config, parse
from medrl.sections.knowledge import KnowledgeConfig
from medrl.types import Completion, Sampling
from tests.medrl.episodes import TWO_HOPS
from tests.tiny import save_tiny

TOKEN_S, PROMPT_S, TOOL_S = 0.05, 0.5, 1.0
#: All groups of the start have asked for their first turn by then; a finished one comes later.
START_S = 20.0
GROUP = 8
CALL = '<think>{}</think><tool_call>{{"name": "medical_retriever", "arguments": {{"query": "{}"}}}}</tool_call>'
TURNS = (
    *(CALL.format("Look for the disease first. " * 4, f"pectus carinatum {part}") for part in range(3)),
    "<think>It is FBN1.</think><answer>FBN1</answer>",
)


class ScriptedPool:
    """In place of `InferencePool`: the same turns for every episode, at the pace of a GPU."""

    def __init__(self, model: Path) -> None:
        codec = ChatCodec(AutoTokenizer.from_pretrained(model))
        self._turns = [codec.encode_action(turn) for turn in TURNS]
        self._begun = 0.0

    async def generate(self, token_ids: list[int], *, sampling: Sampling, request_id: str) -> Completion:
        """The turn that the request's name ends with."""
        episode, _, turn = request_id.rpartition("/")
        ids = self._turns[int(turn)]
        self._begun = self._begun or time.monotonic()
        if turn == "0" and time.monotonic() - self._begun < START_S:
            # Groups take much the same time, so those that begin together would end together, cycle after cycle.
            await asyncio.sleep(random.Random(episode.partition("-")[0]).uniform(0.0, self.group_s))
        await asyncio.sleep(PROMPT_S + TOKEN_S * len(ids) * random.Random(episode).uniform(0.6, 1.4))
        return Completion(ids, [-0.1] * len(ids), [0] * len(ids), "stop")

    @property
    def group_s(self) -> float:
        """About how long a group takes: its slowest episode, the largest of 8 draws from 0.6 to 1.4."""
        said = TOKEN_S * sum(map(len, self._turns))
        return PROMPT_S * len(self._turns) + 1.31 * said + 3 * TOOL_S * (len(self._turns) - 1)

    async def watch(self) -> None:
        """Nothing dies here."""
        await asyncio.Event().wait()


class ScriptedTool:
    """Answers at random leisure."""

    name = "medical_retriever"
    description = "search"
    parameters: Mapping[str, Any] = {"type": "object", "properties": {"query": {"type": "string"}}}

    def __init__(self) -> None:
        self._rng = random.Random(0)

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        await asyncio.sleep(self._rng.lognormvariate(-1.021, 1.429))
        return ToolResult("Marfan syndrome. Pectus carinatum is frequent. " * 3, ("hp:0000768",))


def open_tools(folder: Path, config: KnowledgeConfig) -> dict[str, Tool]:
    """The one scripted tool."""
    return {ScriptedTool.name: ScriptedTool()}


def settings(workers: int, episodes: int) -> Config:
    """As many groups in flight as make up `episodes`."""
    groups = episodes // GROUP
    return parse(
        {
            "name": "scale",
            "model": {"max_length": 8192},
            "env": {"max_turn_tokens": 512, "observation_tokens": 256},
            "grpo": {
                "steps": 10_000,
                "groups_per_step": 4,
                "group_size": GROUP,
                "schedule": "async",
                "max_staleness": 10_000,
                "groups_in_flight": groups,
            },
            "rollout": {"workers": workers, "episodes_in_flight": episodes},
        },
        "the benchmark",
    )


async def measure(config: Config, players: Players, seconds: float) -> tuple[float, float]:
    """Trajectories a second over the last `seconds`, and the controller's CPU seconds a trajectory."""
    questions = [replace(TWO_HOPS, id=f"q{number}") for number in range(500)]
    with CurriculumService.running(config, questions) as curriculum:
        async with Flow(config, players, curriculum, BufferState()) as flow:
            process, begun, done, cpu = psutil.Process(), 0.0, 0, 0.0
            warm = time.monotonic() + 1.2 * players.pool.group_s  # from then on groups end at an even pace
            step = 0
            while not begun or time.monotonic() - begun < seconds:
                batch = await flow.take()
                step += 1
                await curriculum.observe(batch.groups)
                await flow.advance(step)
                if begun:
                    done += batch.episodes
                elif time.monotonic() > warm:
                    begun, cpu = time.monotonic(), sum(process.cpu_times()[:2])
            return done / (time.monotonic() - begun), (sum(process.cpu_times()[:2]) - cpu) / done


def run(nodes: int, workers: int, each: int, model: Path, seconds: float) -> tuple[float, float]:
    """One cluster, one measurement."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4, "node_ip_address": "127.0.0.1"})
    for _ in range(nodes - 1):
        cluster.add_node(num_cpus=4, node_ip_address="127.0.0.1")
    environment = {"env_vars": {"PYTHONPATH": os.getcwd(), "HF_HUB_OFFLINE": "1"}}
    ray.init(address=cluster.address, log_to_driver=False, runtime_env=environment)
    try:
        config = settings(workers, workers * each)
        pool: Any = ScriptedPool(model)
        crew = RolloutWorkers(config, model, model, pool, open_tools)
        window = max(seconds, pool.group_s)
        return asyncio.run(measure(config, Players(pool, crew, RewardService(config)), window))
    finally:
        ray.shutdown()
        cluster.shutdown()


def main() -> None:
    """1 to 8 workers on 1 to 4 nodes, a fixed number of episodes in flight on each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=248, help="episodes in flight on a worker")
    parser.add_argument("--seconds", type=float, default=40.0, help="measured, at least; no less than a group takes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        model = save_tiny(Path(name))
        alone = 0.0
        efficiency = 1.0
        for nodes, workers in ((1, 1), (1, 2), (2, 4), (4, 8)):
            rate, cpu = run(nodes, workers, options.each, model, options.seconds)
            alone = alone or rate
            efficiency = rate / (workers * alone)
            print(
                f"{nodes} nodes  {workers} workers  {workers * options.each:5} in flight  {rate:6.1f} trajectories/s  "
                f"{efficiency:4.0%} of linear  controller {1000 * cpu:.1f} ms CPU a trajectory",
                flush=True,
            )
    print(f"efficiency {efficiency:.2f}")


if __name__ == "__main__":
    main()
