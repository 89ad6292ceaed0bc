"""How long new weights take from the learner to the engines of one node: `python benchmarks/weight_sync.py`.

The packaged model, real learner and engine, requests running meanwhile. Printed by part: export (gather, write,
checksum), update (checksum again, pause, load), and how long generation stood still.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback only; Ray reads it when imported

from actors import placement
from actors.learner import LearnerGroup
from actors.pool import InferencePool
from actors.weights import verify
from launch.model import resolve_model
from medrl.config import parse
from medrl.types import Completion, Sampling


async def measure(pool: InferencePool, learner: LearnerGroup, rounds: int) -> list[tuple[float, float, float]]:
    """Seconds of export, update and pause, for each round."""

    async def request(number: int) -> Completion:
        prompt = [1, *range(100, 140), number]
        return await pool.generate(prompt, sampling=Sampling(1.0, 200, seed=number), request_id=f"r{number}/0")

    times = []
    for version in range(1, rounds + 1):
        running = [asyncio.create_task(request(100 * version + number)) for number in range(16)]
        await asyncio.sleep(2.0)
        begun = time.monotonic()
        ref = await learner.export_weights(version)
        exported = time.monotonic()
        metrics = await pool.update_weights(ref)
        times.append((exported - begun, metrics["sync/seconds"], metrics["sync/paused_s"]))
        verify(ref)
        done = await asyncio.gather(*running)
        mixed = sum(len(set(one.versions)) > 1 for one in done)
        print(
            f"round {version}: export {times[-1][0]:.2f} s  update {times[-1][1]:.2f} s  paused {times[-1][2]:.2f} s  "
            f"{ref.num_bytes / 1e6:.0f} MB in {len(ref.files)} files, checked; {mixed} of 16 requests went on",
            flush=True,
        )
    return times


def main() -> None:
    """A learner, an engine, and several updates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        values = {"name": "sync", "run_dir": name, "model": {"max_length": 512}, "pool": {"kv_cache_gb": 0.5}}
        config = parse(values, "the benchmark")
        model = resolve_model(config.model, Path(config.knowledge.cache).expanduser())
        with placement.session(config):
            pool, learner = InferencePool(config, model), LearnerGroup(config, model)
            times = asyncio.run(measure(pool, learner, rounds))
            learner.close()
            pool.close()
    whole = statistics.median(export + update for export, update, _ in times)
    paused = statistics.median(pause for _, _, pause in times)
    print(f"median: {whole:.2f} s from learner to engine, generation paused {paused:.2f} s")


if __name__ == "__main__":
    main()
