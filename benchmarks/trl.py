"""medrl beside TRL's GRPOTrainer on this machine: `make compare` once, then `python benchmarks/trl.py`.

The same model, prompts, group size, lengths and rewards, in one run: TRL first, in a process of its own, then ours. A
step samples 8 completions of each prompt and makes one update from them. Counted are the tokens trained on, prompts
included, over the time of a whole step; the first step of each is not counted. The last line is ours over theirs.

Shares of the machine's matrix rate count the products that are needed: forward and backward of every token computed,
the head where a token is sampled, attention left out; of a group's prompt ours computes one.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback only; Ray reads it when imported
os.environ["HF_HUB_OFFLINE"] = "1"

HERE = Path(__file__).resolve().parent
sys.path = [entry for entry in sys.path if Path(entry).resolve() != HERE]  # else this file would be what `trl` means

import torch  # noqa: E402

from medrl.precision import fast_precision  # noqa: E402

PRECISION = fast_precision("cpu")
"""Both train in it, as medrl does if nothing else is asked for."""
ROOT = HERE.parent
GROUP, COMPLETION = 8, 96
TOPICS = ("the heart", "the eye", "the liver", "the skin", "the kidney", "the lung", "the bone", "the nerve")
RULES = "Answer as a physician would, step by step, and name the sources that you would look at. " * 8


def prompt(topic: str) -> list[dict[str, str]]:
    """A system prompt of some 150 tokens, and a question."""
    return [
        {"role": "system", "content": RULES},
        {"role": "user", "content": f"Which gene, when it is mutated, most often leads to a disease of {topic}?"},
    ]


def reward(token_ids: list[int]) -> float:
    """Any number that differs between completions, the same for both."""
    return (sum(token_ids) % 97) / 97


def theirs(model: Path, steps: int) -> None:
    """Train with TRL; one JSON line on stdout: tokens, seconds and where they went, of the steps that count."""
    from datasets import Dataset
    from datasets.table import InMemoryTable
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    spent: dict[str, float] = defaultdict(float)
    tokens = {"prompt": 0, "completion": 0}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                spent[name] += time.perf_counter() - begun

        return call

    def rewards(prompts: list[Any], completions: list[Any], completion_ids: list[list[int]], **_: Any) -> list[float]:
        tokens["completion"] += sum(len(ids) for ids in completion_ids)
        tokens["prompt"] += prompt_tokens * len(completion_ids)
        return [reward(ids) for ids in completion_ids]

    class Clock(TrainerCallback):
        """Starts anew after the first step."""

        def on_step_end(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 1:
                spent.clear()
                tokens.update(prompt=0, completion=0)
                spent["begun"] = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        settings = GRPOConfig(
            output_dir=folder, use_cpu=True, bf16=PRECISION == "bfloat16", per_device_train_batch_size=16,
            gradient_accumulation_steps=len(TOPICS) * GROUP // 16, num_generations=GROUP,
            max_completion_length=COMPLETION, beta=0.0, scale_rewards="none", loss_type="dr_grpo", temperature=1.0,
            learning_rate=1e-6, max_steps=steps + 1, report_to=[], logging_steps=1000, save_strategy="no",
            disable_tqdm=True, gradient_checkpointing=False, model_init_kwargs={"dtype": PRECISION},
        )  # fmt: skip
        rows = {"prompt": [prompt(topic) for topic in TOPICS] * (steps + 1)}
        data = Dataset(InMemoryTable.from_pydict(rows), fingerprint="prompts")  # else it is hashed by pickling
        trainer = GRPOTrainer(str(model), rewards, args=settings, train_dataset=data, callbacks=[Clock()])
        ids = trainer.processing_class.apply_chat_template(prompt("x"), add_generation_prompt=True, return_dict=False)
        prompt_tokens = len(ids)
        trainer._generate = timed("sampling", trainer._generate)
        trainer._compute_loss = timed("forward", trainer._compute_loss)
        trainer.accelerator.backward = timed("backward", trainer.accelerator.backward)
        trainer.train()
        spent["step"] = time.perf_counter() - spent.pop("begun")
    print(json.dumps({"tokens": tokens, "prompts": tokens["prompt"], "seconds": dict(spent)}))


async def ours(model: Path, steps: int) -> dict[str, Any]:
    """The same with an engine and a learner of ours."""
    from transformers import AutoTokenizer

    from actors import placement
    from actors.learner import LearnerGroup
    from actors.pool import InferencePool
    from medrl.config import parse
    from medrl.grpo import group_advantages
    from medrl.packing import TrainSample
    from medrl.types import Sampling

    values = {
        "name": "trl",
        "model": {"max_length": 1024},
        "grpo": {"aggregation": "constant", "normaliser": COMPLETION},
        "pool": {"max_sequences": len(TOPICS) * GROUP, "kv_cache_gb": 1.0},
        "learner": {"micro_batch_tokens": 2048},
    }
    config = parse(values, "the benchmark")
    tokenizer = AutoTokenizer.from_pretrained(model)
    prompts = [
        tokenizer.apply_chat_template(prompt(topic), add_generation_prompt=True, return_dict=False) for topic in TOPICS
    ]
    spent: dict[str, float] = defaultdict(float)
    tokens = {"prompt": 0, "completion": 0}
    with placement.session(config):
        pool, learner = InferencePool(config, model), LearnerGroup(config, model)
        begun = 0.0
        for step in range(steps + 1):
            if step == 1:
                spent.clear()
                tokens, begun = {"prompt": 0, "completion": 0}, time.perf_counter()
            lap = time.perf_counter()
            calls = [
                pool.generate(
                    ids,
                    sampling=Sampling(1.0, COMPLETION, seed=1000 * step + GROUP * number + sample),
                    request_id=f"{step}-{number}-{sample}/0",
                )
                for number, ids in enumerate(prompts)
                for sample in range(GROUP)
            ]
            done = await asyncio.gather(*calls)
            spent["sampling"] += time.perf_counter() - lap
            rewards = torch.tensor([reward(one.token_ids) for one in done], dtype=torch.float64)
            advantages = group_advantages(rewards, torch.arange(len(done)) // GROUP).tolist()
            samples = [
                TrainSample(
                    prompts[index // GROUP] + one.token_ids,
                    [False] * len(prompts[index // GROUP]) + [True] * len(one.token_ids),
                    [0.0] * len(prompts[index // GROUP]) + one.logprobs,
                    advantages[index],
                )
                for index, one in enumerate(done)
            ]
            lap = time.perf_counter()
            await learner.update(samples, "policy", 1e-6)
            spent["learning"] += time.perf_counter() - lap
            lap = time.perf_counter()
            await pool.update_weights(await learner.export_weights(step + 1))
            spent["weights"] += time.perf_counter() - lap
            tokens["completion"] += sum(len(one.token_ids) for one in done)
            tokens["prompt"] += GROUP * sum(len(ids) for ids in prompts)
        spent["step"] = time.perf_counter() - begun
        learner.close()
        pool.close()
    return {"tokens": tokens, "prompts": tokens["prompt"] // GROUP, "seconds": dict(spent)}


def main() -> None:
    """Measure the machine, TRL, and ourselves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3, help="steps that count")
    parser.add_argument("--theirs", type=Path, metavar="MODEL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.theirs:
        theirs(options.theirs, options.steps)
        return
    from launch.footprint import read_shape
    from launch.forecast import product_rate
    from launch.model import resolve_model
    from medrl.sections.machines import ModelConfig

    model = resolve_model(ModelConfig(), Path("~/.cache/medrl"))
    rate = max(product_rate(4096, 576, 1536, getattr(torch, PRECISION)) for _ in range(6))
    print(f"this machine multiplies {PRECISION} matrices at {rate / 1e12:.2f} TFLOP/s")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([os.environ.get("COMPARE", str(ROOT / ".compare")), str(ROOT)])
    }
    script = [sys.executable, __file__, "--theirs", str(model), "--steps", str(options.steps)]
    said = subprocess.run(script, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    results = {"TRL": json.loads(said.strip().splitlines()[-1]), "medrl": asyncio.run(ours(model, options.steps))}
    shape = read_shape(model)
    head = shape.vocab * shape.hidden
    rates = {}
    for name, result in results.items():
        seconds, tokens = result["seconds"], result["tokens"]
        rates[name] = sum(tokens.values()) / seconds["step"]
        parts = ", ".join(f"{part} {value / options.steps:.1f} s" for part, value in seconds.items() if part != "step")
        learning = seconds.get("learning") or seconds["forward"] + seconds["backward"]
        products = (shape.parameters - head) * (result["prompts"] + tokens["completion"]) + head * tokens["completion"]
        print(
            f"{name:6} {rates[name]:6.0f} trained tokens/s, a step {seconds['step'] / options.steps:.1f} s: {parts}; "
            f"{tokens['completion'] / seconds['sampling']:.0f} tokens/s sampled; of the matrix rate: learner "
            f"{6 * products / learning / rate:.0%}, sampler {2 * products / seconds['sampling'] / rate:.0%}"
        )
    print(f"ratio {rates['medrl'] / rates['TRL']:.2f}")


if __name__ == "__main__":
    main()
