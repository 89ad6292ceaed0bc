"""How far the learner's gradient is from that of the whole batch, in every way of splitting the work."""

import itertools
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from medrl.grpo import policy_loss
from medrl.packing import TrainSample, collate, micro_batches, shards
from tests.actors.ranks import Case, run_ranks

ROWS = (1, 2, 4, None)
"""Most episodes in a micro-batch; None: all of a rank's."""
STAGES = (0, 2, 3)
RANKS = (1, 2)


def group_of_episodes(count: int = 16, seed: int = 3) -> list[TrainSample]:
    """Episodes of one question: 12 tokens that all begin with, then 20 to 28 of their own."""
    rng = random.Random(seed)
    prompt = [rng.randrange(256) for _ in range(12)]
    samples = []
    for index in range(count):
        own = [index, *(rng.randrange(256) for _ in range(rng.randint(19, 27)))]
        mask = [False] * len(prompt) + [rng.random() < 0.7 for _ in own[1:]] + [True]
        logprobs = [-rng.uniform(4, 6) if action else float("nan") for action in mask]
        samples.append(TrainSample(prompt + own, mask, logprobs, advantage=rng.uniform(-1, 1)))
    return samples


def token_budget(parts: list[list[TrainSample]], rows: int | None, *, ragged: bool) -> int:
    """A `learner.micro_batch_tokens` under which the fullest micro-batch of every rank holds just `rows` episodes.

    Raises StopIteration if no budget does.
    """
    wanted = [rows or len(part) for part in parts]
    budgets = range(1, 1000)
    return next(b for b in budgets if [max(map(len, micro_batches(p, b, ragged=ragged))) for p in parts] == wanted)


def whole_batch_gradient(model: Path, samples: list[TrainSample]) -> dict[str, torch.Tensor]:
    """From plain transformers in float64, all logits at once."""
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float64)
    batch = collate(samples, pad_id=0)
    logits = network(input_ids=batch.input_ids, attention_mask=batch.attention_mask.long()).logits
    chosen = torch.log_softmax(logits[:, :-1], -1).gather(2, batch.input_ids[:, 1:, None]).squeeze(2)
    logp = torch.cat([torch.zeros_like(chosen[:, :1]), chosen], dim=1)
    policy_loss(
        logp, logp.detach(), batch.advantages, batch.action_mask, clip_low=0.2, clip_high=0.28,
        aggregation="sequence_sum",
    ).loss.backward()  # fmt: skip
    return {f"model.{name}": parameter.grad for name, parameter in network.named_parameters()}


def gradient_deviations(folder: Path, model: Path) -> dict[str, float]:
    """The largest absolute deviation over all parameters, float32, of each cell; the cell's name says what it is.

    `folder` gets the ranks' files; `model` is a Hugging Face folder. About a minute with the tiny model.
    """
    samples = group_of_episodes()
    expected = whole_batch_gradient(model, samples)
    update = {"samples": [asdict(sample) for sample in samples], "objective": "policy", "lr": 1e-3}
    found = {}
    for ranks in RANKS:
        parts = [[samples[i] for i in part] for part in shards(samples, ranks)]
        cells: dict[str, Case] = {}
        for ragged, rows, stage in itertools.product((True, False), ROWS, STAGES):
            budget = token_budget(parts, rows, ragged=ragged)
            name = f"{'packed' if ragged else 'padded'}, {rows or 'all'} a micro-batch, ranks {ranks}, ZeRO {stage}"
            cells[name] = {"config": _config(budget, stage), "padded": not ragged, "calls": [["update", update]]}
            cells[name]["calls"].append(["gradients", {}])
        for name, result in zip(cells, run_ranks(folder / str(ranks), model, list(cells.values()), ranks), strict=True):
            assert result.gradients.keys() == expected.keys(), name
            found[name] = max(float((result.gradients[key] - expected[key]).abs().max()) for key in expected)
    return found


def _config(budget: int, stage: int) -> dict[str, Any]:
    learner = {"micro_batch_tokens": budget, "zero_stage": stage, "max_grad_norm": 1e9, "threads": 1}
    return {"name": "t", "model": {"dtype": "float32"}, "learner": learner}
