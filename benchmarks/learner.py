"""How fast one learner rank updates on GRPO-like episodes, and what share of the processor's rate that is:

    python benchmarks/learner.py [learner.lora_rank=8 ...]

Groups of episodes that begin with the same prompt, then turns of actions and observations in turn. The rate is that of
matrix products in the same process, the best before or after; the work is what torch counts in one update, so the share
says how much of the time went into products. Starts no Ray.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from actors.deepspeed_learner import Learner
from actors.rendezvous import Rendezvous
from launch.forecast import product_rate
from launch.model import resolve_model
from medrl.config import load
from medrl.packing import TrainSample

GROUPS, SIZE = 8, 8
PROMPT, OWN, TURN = 250, 130, 26
"""Tokens: what a group's episodes begin with, what follows in each, and how many are actions or observations at a
stretch."""
UPDATES = 2


def episodes(vocabulary: int, seed: int = 0) -> list[TrainSample]:
    """GROUPS x SIZE episodes of PROMPT + OWN tokens, give or take a fifth of OWN."""
    rng = random.Random(seed)
    samples = []
    for _ in range(GROUPS):
        prompt = [rng.randrange(vocabulary) for _ in range(PROMPT)]
        for _ in range(SIZE):
            own = rng.randint(OWN * 4 // 5, OWN * 6 // 5)
            ids = prompt + [rng.randrange(vocabulary) for _ in range(own)]
            mask = [False] * PROMPT + [place // TURN % 2 == 0 for place in range(own)]
            samples.append(TrainSample(ids, mask, [-1.0] * len(ids), rng.uniform(-1, 1)))
    return samples


def computed_tokens(samples: list[TrainSample]) -> int:
    """With each group's prompt once."""
    return sum(len(sample.token_ids) for sample in samples) - GROUPS * (SIZE - 1) * PROMPT


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """The fastest of `times`."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as scratch:
        recipe = Path(scratch) / "recipe.yaml"
        recipe.write_text("name: benchmark\n")
        config = load(recipe, tuple(sys.argv[1:]))
        learner = Learner(
            config, resolve_model(config.model, Path(config.knowledge.cache)), Rendezvous(Path(scratch) / "rendezvous")
        )
        network = learner._policy.model.config
        dtype = getattr(torch, config.model.dtype)
        hidden, inner = network.hidden_size, network.intermediate_size
        shapes = {"of the MLP": (1024, hidden, inner), "large": (4096, 4096, 4096)}
        before = {name: product_rate(*shape, dtype) for name, shape in shapes.items()}
        samples = episodes(network.vocab_size)
        with FlopCounterMode(display=False) as counter:
            learner.update(samples, "policy", 1e-6)
        work = counter.get_total_flops()
        took = seconds(lambda: learner.update(samples, "policy", 1e-6), UPDATES)
        rates = {name: max(before[name], product_rate(*shape, dtype)) for name, shape in shapes.items()}
        scored = seconds(lambda: learner.logprobs(samples))
        folder = Path(scratch) / "checkpoint"
        folder.mkdir()
        saved = seconds(lambda: learner.save_checkpoint(folder))
        loaded = seconds(lambda: learner.load_checkpoint(folder))
        size = sum(file.stat().st_size for file in folder.iterdir())
        learner.close()
    tokens, peak = sum(len(sample.token_ids) for sample in samples), max(rates.values())
    print(
        f"{torch.get_num_threads()} threads; {config.model.dtype} products",
        *(f"{k} {v / 1e12:.2f} TFLOP/s" for k, v in rates.items()),
    )
    print(
        f"update: {took:.2f} s, {tokens / took:.0f} tokens/s, {computed_tokens(samples) / took:.0f} computed tokens/s"
    )
    print(f"update: {work / 1e12:.2f} TFLOP at {work / took / 1e12:.2f} TFLOP/s, {work / took / peak:.0%} of the peak")
    print(f"log-probs: {scored:.2f} s, {tokens / scored:.0f} tokens/s")
    print(f"checkpoint: {size / 2**20:.0f} MiB, saved in {saved:.2f} s, loaded in {loaded:.2f} s")


if __name__ == "__main__":
    main()
