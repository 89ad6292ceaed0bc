"""A thousand episodes at once on one rollout worker: `python benchmarks/episodes.py DATA`.

DATA is a dataset that `medrl synthesize` wrote. The policy is scripted: it says, turn by turn, what the dataset's
trajectories say, after as long as a model would take (`--turn` seconds on average). Environment, tools, indexes, chat
codec and the worker's Ray actor are the real ones.

Printed: episodes/s and calls/s with all episodes under way at once, then with a policy that takes no time, so that
the worker is busy with nothing but tools and environment; the worker's memory; and, profiled in this process, what the
time goes into. "Ours" is the code of medrl and envs, with what it calls in the standard library.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback only; Ray reads it when imported

import psutil
import ray
import torch
from transformers import AutoTokenizer

from actors.rollout import Play, RolloutWorker
from actors.session import connected
from envs.react import ReactEnv, run_episode
from envs.toolbox import open_toolbox
from kisa.dataset import load_dataset
from kisa.knowledge import build_knowledge
from launch.model import resolve_model
from medrl.chat import ChatCodec
from medrl.config import Config, parse
from medrl.types import Completion, Question, Rollout, Sampling

Code = tuple[str, int, str]
"""A function in a profile: file ("~" for a built-in one), line, name."""
DEEPEST = 6
"""Calls within the standard library that are followed upwards."""
SPREAD = (0.5, 1.5)
"""A turn takes from half to one and a half times as long as the mean."""
#: Where time goes, by a part of the path of the code that runs; the first that fits.
PLACES = (
    ("torch, transformers", ("/torch/", "/transformers/", "torch._C", "torch.")),
    ("tokenizers", ("tokenizers",)),
    ("numpy, scipy", ("/numpy/", "/scipy/", "numpy.")),
    ("schema checks", ("/jsonschema/", "/referencing/", "/rpds/", "/attr/")),
    ("pydantic", ("pydantic",)),
    ("rapidfuzz", ("rapidfuzz",)),
    ("event loop", ("/asyncio/", "selectors.py", "select.epoll")),
    ("ours", ("/medrl/", "/envs/", "/kisa/")),
)


class ScriptedPolicy:
    """In place of the inference pool: the turns of each question's trajectory."""

    def __init__(self, trajectories: Sequence[Rollout], turn_s: float) -> None:
        self._turns = {each.question_id: turns(each) for each in trajectories}
        self._turn_s = turn_s

    async def generate(self, token_ids: list[int], *, sampling: Sampling, request_id: str) -> Completion:
        """The turn that the request's name ends with: "question-sample-seed-attempt/turn"."""
        episode, _, turn = request_id.rpartition("/")
        ids = self._turns[episode.rsplit("-", 3)[0]][int(turn)]
        if self._turn_s:
            await asyncio.sleep(self._turn_s * random.Random(request_id).uniform(*SPREAD))
        return Completion(ids, [-0.1] * len(ids), [0] * len(ids), "stop")


def turns(trajectory: Rollout) -> list[list[int]]:
    """The token ids of each of the agent's turns."""
    found: list[list[int]] = []
    before = False
    for token, acted in zip(trajectory.token_ids, trajectory.action_mask, strict=True):
        if acted and not before:
            found.append([])
        if acted:
            found[-1].append(token)
        before = acted
    return found


def on_a_worker(
    config: Config, model: Path, knowledge: Path, policy: ScriptedPolicy, questions: Sequence[Question]
) -> str:
    """Every question played once, all at the same time; one line of figures."""
    pool: Any = policy
    options = RolloutWorker.options(max_concurrency=len(questions) + 1)
    worker = options.remote(config, model, knowledge, pool, open_toolbox, None)
    ray.get(worker.ready.remote())
    process = next(each for each in psutil.Process().children(recursive=True) if _title(each) == "ray::RolloutWorker")
    opened, before = process.memory_full_info().pss, sum(process.cpu_times()[:2])
    started = time.perf_counter()
    plays = [worker.run_group.remote(Play(each, 1, 1.0), number) for number, each in enumerate(questions)]
    peak = opened
    while ray.wait(plays, num_returns=len(plays), timeout=0.5)[1]:
        peak = max(peak, process.memory_full_info().pss)
    wall_s, cpu_s = time.perf_counter() - started, sum(process.cpu_times()[:2]) - before
    outcomes = ray.get(plays)
    rollouts = [rollout for outcome in outcomes for rollout in outcome.group.rollouts]
    calls = sum(rollout.num_tool_calls for rollout in rollouts)
    ray.kill(worker)
    return (
        f"{len(rollouts)} episodes, {sum(len(each.outages) for each in outcomes)} outages, {wall_s:.1f} s: "
        f"{len(rollouts) / wall_s:.1f} episodes/s, {calls / wall_s:.0f} calls/s, {1000 * cpu_s / calls:.1f} ms CPU a "
        f"call; memory {opened / 1e9:.2f} GB, {peak / 1e9:.2f} at most"
    )


def _title(process: psutil.Process) -> str:
    return "".join(process.cmdline()[:1]).partition(".")[0].partition(" ")[0]


def profile(config: Config, model: Path, knowledge: Path, policy: ScriptedPolicy, questions: Sequence[Question]) -> str:
    """A table of what the time goes into, from a profile of this process."""
    codec = ChatCodec(AutoTokenizer.from_pretrained(model))
    tools = open_toolbox(knowledge, config.knowledge, threads=1)

    async def play() -> None:
        envs = [ReactEnv(each, tools, codec, config.env, config.model.max_length) for each in questions]
        names = (f"{each.id}-0-0-0" for each in questions)
        await asyncio.gather(
            *(run_episode(env, policy.generate, Sampling(1.0, 96), name) for env, name in zip(envs, names, strict=True))
        )

    with cProfile.Profile() as profiler:
        asyncio.run(play())
    functions: dict[Code, Any] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    spent: Counter[str] = Counter()
    for code, (_, _, seconds, _, _) in functions.items():
        for place, share in _places(code, functions, frozenset()).items():
            spent[place] += seconds * share
    total = spent.total()
    return "\n".join(f"{place:22}{seconds / total:6.1%}" for place, seconds in spent.most_common())


def _places(code: Code, functions: dict[Code, Any], below: frozenset[Code]) -> dict[str, float]:
    """Whose time a function's is, as shares: of built-in functions and of the standard library, their callers'."""
    path, _, function = code
    where = function if path == "~" else path
    place = next((name for name, marks in PLACES if any(mark in where for mark in marks)), None)
    if place is not None:
        return {place: 1.0}
    callers = {caller: calls[2] for caller, calls in functions[code][4].items() if caller not in below}
    whole = sum(callers.values())
    if not whole or len(below) == DEEPEST:
        return {"other": 1.0}
    shares: dict[str, float] = defaultdict(float)
    for caller, seconds in callers.items():
        for name, share in _places(caller, functions, below | {code}).items():
            shares[name] += share * seconds / whole
    return shares


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--episodes", type=int, default=1000, help="at once")
    parser.add_argument("--turn", type=float, default=10.0, help="seconds of a turn of the policy, on average")
    options = parser.parse_args()
    config = parse(
        {"name": "episodes", "rollout": {"workers": 1, "episodes_in_flight": options.episodes}}, "the benchmark"
    )
    dataset = load_dataset(options.data)
    played = {each.question_id for each in dataset.trajectories}
    known = [each for each in dataset.train if each.id in played]
    questions = list(islice(cycle(known), options.episodes))
    model = resolve_model(config.model, Path(config.knowledge.cache).expanduser())
    knowledge = build_knowledge(config.knowledge)
    with connected():
        for turn_s in (options.turn, 0.0):
            policy = ScriptedPolicy(dataset.trajectories, turn_s)
            said = f"a turn takes {turn_s:g} s" if turn_s else "turns take no time"
            print(f"{said}: {on_a_worker(config, model, knowledge, policy, questions)}", flush=True)
    torch.set_num_threads(1)
    print(profile(config, model, knowledge, ScriptedPolicy(dataset.trajectories, 0.0), questions))


if __name__ == "__main__":
    main()
