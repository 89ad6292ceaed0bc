"""Advantages within a group, and which rewards of a group are kept, against exact oracles."""

import itertools
import math
from statistics import pvariance

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medrl.grpo import group_advantages, most_varied
from tests import oracles

rewards_and_groups = st.lists(
    st.tuples(st.floats(-2, 2, allow_subnormal=False), st.integers(0, 3)), min_size=1, max_size=16
)


@pytest.mark.contract("3 loss variants", "mean and leave-one-out baselines: advantages of an exact oracle")
@given(rewards_and_groups)
def test_advantages_equal_the_oracle(pairs: list[tuple[float, int]]) -> None:
    rewards, groups = [r for r, _ in pairs], [g for _, g in pairs]
    for baseline in ("mean", "leave_one_out"):
        got = group_advantages(torch.tensor(rewards, dtype=torch.float64), torch.tensor(groups), baseline=baseline)
        assert got.tolist() == pytest.approx(oracles.advantages(rewards, groups, baseline), abs=1e-12)


def test_advantages_over_std_equal_the_oracle() -> None:
    rewards, groups = [1.0, 0.0, 0.25, 0.5, 0.5, 2.0, -1.0], [4, 4, 4, 9, 9, 7, 7]
    got = group_advantages(torch.tensor(rewards), torch.tensor(groups), divide_by_std=True)
    assert got.tolist() == pytest.approx(oracles.advantages(rewards, groups, by_std=True), abs=1e-6)


@given(rewards_and_groups, st.floats(-10, 10))
def test_a_shift_of_a_group_changes_no_advantage(pairs: list[tuple[float, int]], shift: float) -> None:
    rewards = torch.tensor([r for r, _ in pairs], dtype=torch.float64)
    groups = torch.tensor([g for _, g in pairs])
    shifted = torch.where(groups == groups[0], rewards + shift, rewards)
    assert torch.allclose(group_advantages(shifted, groups), group_advantages(rewards, groups), atol=1e-12)


@given(rewards_and_groups)
def test_advantages_of_a_group_sum_to_zero_and_ignore_order(pairs: list[tuple[float, int]]) -> None:
    rewards = torch.tensor([r for r, _ in pairs], dtype=torch.float64)
    groups = torch.tensor([g for _, g in pairs])
    got = group_advantages(rewards, groups)
    for group in groups.unique():
        assert abs(float(got[groups == group].sum())) < 1e-12
    assert torch.allclose(group_advantages(rewards.flip(0), groups.flip(0)).flip(0), got, atol=1e-15)


@pytest.mark.contract("1 exact gradient", "constant group of reward 1.05, and a group of one: advantage exactly 0")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("options", [{}, {"baseline": "leave_one_out"}, {"divide_by_std": True}])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 1000])
def test_a_group_without_spread_gives_exactly_zero(dtype: torch.dtype, options: dict[str, object], size: int) -> None:
    rewards = torch.tensor([1.05] * size, dtype=dtype)
    got = group_advantages(rewards, torch.full((size,), 3), **options)
    assert got.dtype == dtype
    assert (got == 0.0).all()


def test_rewards_that_differ_by_rounding_have_no_spread() -> None:
    rewards = torch.tensor([1.0 + 0.2 * 0.5 - 0.1 * 0.5, 1.05, math.nextafter(1.05, 2)], dtype=torch.float64)
    assert (group_advantages(rewards, torch.zeros(3, dtype=torch.int64), divide_by_std=True) == 0.0).all()


def test_advantages_refuse_what_is_no_reward() -> None:
    with pytest.raises(ValueError, match="not finite"):
        group_advantages(torch.tensor([1.0, math.nan]), torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="must be"):
        group_advantages(torch.zeros(2), torch.zeros(3, dtype=torch.int64))
    assert group_advantages(torch.zeros(0), torch.zeros(0, dtype=torch.int64)).shape == (0,)


@given(st.lists(st.sampled_from([0.0, 0.06, 0.2, 1.0, 1.14]), min_size=2, max_size=9), st.integers(2, 5))
def test_the_kept_rewards_vary_as_much_as_any_choice(rewards: list[float], count: int) -> None:
    kept = most_varied(rewards, count)
    assert kept == sorted(set(kept)) and len(kept) == min(count, len(rewards))
    best = max(pvariance(choice) for choice in itertools.combinations(rewards, len(kept)))
    assert pvariance([rewards[index] for index in kept]) == pytest.approx(best)


def test_one_success_among_failures_is_always_kept() -> None:
    assert 2 in most_varied([0.0, 0.0, 1.0, 0.0, 0.1, 0.0, 0.0, 0.0], 4)
    assert most_varied([], 4) == []
    with pytest.raises(ValueError, match="2 or more"):
        most_varied([1.0, 2.0], 1)
