"""Corrections, ratio and aggregations as the learner applies them: two ranks, several micro-batches, the configuration
of a recipe, against the whole batch scored by plain transformers and the scalar oracles."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from medrl.packing import TrainSample, collate
from tests import oracles
from tests.actors.conftest import make_samples
from tests.actors.ranks import Case, CaseResult, run_ranks

pytestmark = pytest.mark.slow

# Name -> keys of grpo, and whether old log-probs are given, as for the later updates of a batch.
CASES: dict[str, tuple[dict[str, Any], bool]] = {
    "decoupled": ({}, True),
    "coupled": ({"ratio": "coupled"}, False),
    "dual clip, constant": (
        {"ratio": "coupled", "dual_clip": 1.2, "aggregation": "constant", "normaliser": 50},
        False,
    ),
    "token_tis": ({"correction": {"kind": "token_tis", "cap": 1.5}}, True),
    "sequence_tis": ({"correction": {"kind": "sequence_tis", "cap": 1.5}, "aggregation": "token_mean"}, False),
    "icepop": ({"correction": {"kind": "icepop", "low": 0.6, "high": 1.6}}, True),
    "geometric": ({"correction": {"kind": "geometric", "low": 0.5, "high": 1.1}, "aggregation": "sequence_mean"}, True),
    "kl": ({"kl": 0.3, "aggregation": "token_mean"}, True),
}


def old_logprobs(samples: list[TrainSample]) -> list[list[float]]:
    """Near what a random policy gives to each of 256 tokens, and not the sampler's."""
    return [[-math.log(256) + 0.3 * math.sin(i + len(s.token_ids)) for i in range(len(s.token_ids))] for s in samples]


def ref_logprobs(samples: list[TrainSample]) -> list[list[float]]:
    """Of a reference that is somewhere else again."""
    return [[-math.log(256) + 0.5 * math.cos(i) for i in range(len(s.token_ids))] for s in samples]


def case(grpo: dict[str, Any], old: bool) -> Case:
    samples = make_samples()
    arguments: dict[str, Any] = {
        "samples": [
            {"token_ids": s.token_ids, "action_mask": s.action_mask, "logprobs": s.logprobs, "advantage": s.advantage}
            for s in samples
        ],
        "objective": "policy",
        "lr": 1e-3,
    } | ({"old_logprobs": old_logprobs(samples)} if old else {})
    if "kl" in grpo:
        arguments["ref_logprobs"] = ref_logprobs(samples)
    learner = {"micro_batch_tokens": 100, "max_grad_norm": 1e9, "threads": 1}
    config = {"name": "t", "model": {"dtype": "float32"}, "learner": learner, "grpo": grpo}
    return {"config": config, "calls": [["update", arguments]]}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> dict[str, CaseResult]:
    folder = tmp_path_factory.mktemp("losses")
    results = run_ranks(folder, tiny_folder, [case(*each) for each in CASES.values()], 2)
    return dict(zip(CASES, results, strict=True))


@pytest.fixture(scope="module")
def current(tiny_folder: Path) -> oracles.Matrix:
    """Log-probs of the model as it is, from all logits."""
    model = AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32)
    batch = collate(make_samples(), pad_id=0)
    with torch.no_grad():
        logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask.long()).logits
    chosen = torch.log_softmax(logits[:, :-1], -1).gather(2, batch.input_ids[:, 1:, None]).squeeze(2)
    rows: oracles.Matrix = torch.cat([torch.zeros(len(chosen), 1), chosen], dim=1).tolist()
    return rows


@pytest.mark.contract("5 corrections", "each kind, coupled and decoupled: loss of 2 ranks is a scalar oracle's")
@pytest.mark.parametrize("name", CASES)
def test_loss_is_that_of_the_oracle(found: dict[str, CaseResult], current: oracles.Matrix, name: str) -> None:
    grpo, given = CASES[name]
    samples = make_samples()
    batch = collate(samples, pad_id=0)
    sampler, mask = batch.rollout_logp.tolist(), batch.action_mask.tolist()
    old = current
    if given:
        old = [row + [0.0] * (len(mask[0]) - len(row)) for row in old_logprobs(samples)]
    reference = [row + [0.0] * (len(mask[0]) - len(row)) for row in ref_logprobs(samples)] if "kl" in grpo else None
    coupled = grpo.get("ratio") == "coupled"
    weight = None
    if correction := grpo.get("correction"):
        high = correction.get("cap") or correction["high"]
        weight = oracles.weights(correction["kind"], old, sampler, mask, correction.get("low", 0.0), high)
        weights = [w for row, acts in zip(weight, mask, strict=True) for w, act in zip(row, acts, strict=True) if act]
        assert len(set(weights)) > 1  # or it would be no test
    expected = oracles.surrogate(
        current, sampler if coupled else old, batch.advantages.tolist(), mask, 0.2, 0.28,
        grpo.get("aggregation", "sequence_sum"), weight, grpo.get("dual_clip"), grpo.get("normaliser"), reference,
        grpo.get("kl", 0.0),
    )  # fmt: skip
    for rank in found[name].calls:
        stats = rank[0]
        assert stats["loss"] == pytest.approx(expected, rel=1e-3, abs=1e-5)
        assert ("kl_ref" in stats) is ("kl" in grpo)
        assert ("rollout_corr/kl" in stats) is not coupled  # it would be 0 by construction
        if weight is not None:
            assert stats["rollout_corr/weight_mean"] == pytest.approx(sum(weights) / len(weights), rel=1e-4)
            ess = sum(weights) ** 2 / sum(w * w for w in weights) / len(weights)
            assert stats["rollout_corr/ess"] == pytest.approx(ess, rel=1e-4)
