from pathlib import Path
from typing import Any

import pytest
import torch

from launch.forecast import forecast, product_rate
from launch.plan import render_plan
from launch.recipe import load_recipe
from medrl.config import parse
from tests.launch.shapes import SMOLLM2
from tests.launch.test_footprint import SHAPE


def test_stages_by_hand() -> None:
    """300 of 1,000 tokens an episode; 2 MFLOP a token to sample at 0.44 of the rate, 6 to learn from at 0.51 of it."""
    values: dict[str, Any] = {
        "name": "t",
        "model": {"max_length": 1000},
        "kisa": {"heldout_questions": 30},
        "sft": {"updates": 10, "batch_trajectories": 4},
        "grpo": {"steps": 5, "groups_per_step": 6, "group_size": 4},
        "eval": {"questions": 20, "samples": 1},
    }
    found = forecast(parse(values, "the test"), SHAPE, rate=1e9)
    sampled_s, learnt_s = 300 * 2e6 / 0.44e9, 300 * 6e6 / 0.51e9
    assert found.sft == pytest.approx(40 * learnt_s)
    assert found.grpo == pytest.approx(5 * 24 * (sampled_s + learnt_s))
    assert found.evaluation == pytest.approx(20 * 5 * sampled_s)
    for refill, played, learnt in ((0, 24, 6), (2, 32, 8), (99, 48, 12)):  # half of the groups have spread
        mixed = {"learn_from": "mixed", "train_per_group": 2, "refill": refill}
        some = parse(values | {"grpo": values["grpo"] | mixed}, "the test")
        assert forecast(some, SHAPE, rate=1e9).grpo == pytest.approx(5 * (played * sampled_s + learnt * learnt_s))


def test_what_was_measured_is_told_within_its_factor_of_two() -> None:
    """docs/log.md: quickstart with 7 steps in 21 min 34 s and the recipe cpu in 1 h 16 min, at 0.41 TFLOP/s."""
    for recipe, settings, minutes in (("quickstart", ["grpo.steps=7"], 21.6), ("cpu", [], 76.0)):
        found = forecast(load_recipe(recipe, settings), SMOLLM2, 0.41e12)
        told = (found.sft + found.grpo + found.evaluation) / 60
        assert minutes / 2 < told < 2 * minutes, (recipe, told)


def test_the_plan_tells_hours_where_the_machine_was_measured() -> None:
    config = load_recipe("quickstart")
    measured = render_plan(config, Path("model"), SHAPE, rate=1e9)
    assert "time on this machine" in measured and "measured: 0.001 TFLOP/s" in measured
    assert "time on this machine" not in render_plan(config, Path("model"), SHAPE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_rate_is_of_the_work_that_was_done(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that a product moves by a second: a FLOP/s is then what one product takes."""
    now = 0.0

    def linear(x: torch.Tensor, w: torch.Tensor) -> None:
        nonlocal now
        assert (x.dtype, x.shape, w.shape) == (dtype, (64, 32), (16, 32))
        now += 1.0

    monkeypatch.setattr("torch.nn.functional.linear", linear)
    monkeypatch.setattr("time.perf_counter", lambda: now)
    assert product_rate(64, 32, 16, dtype) == 2 * 64 * 32 * 16
