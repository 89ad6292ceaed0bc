import numpy as np
import pytest

from launch.eval import Evaluation
from launch.summary import difference, entry


def evaluation(greedy: list[float], sampled: list[float]) -> Evaluation:
    return Evaluation(greedy, sampled, [2] * len(greedy), 1.5)


def test_a_models_line_has_pass_at_k_for_every_k_there_are_samples_for() -> None:
    row = entry(evaluation([1.0, 0.0, 1.0, 0.0], [1.0, 0.25, 0.0, 0.5]), 4, np.random.default_rng(0), 100)
    assert row["greedy"]["pass_at_1"] == 0.5 and row["n"] == 4
    sampled = row["sampled"]
    assert sampled["pass_at_1"] == pytest.approx((4 + 1 + 0 + 2) / 16)
    assert sampled["pass_at_2"] == pytest.approx((1 + 3 / 6 + 0 + 5 / 6) / 4)  # 1 − C(n−c, 2) / C(4, 2)
    assert sampled["pass_at_3"] == pytest.approx((1 + 3 / 4 + 0 + 1) / 4)
    assert sampled["pass_at_4"] == pytest.approx(3 / 4)


def test_the_greedy_difference_has_mcnemars_p() -> None:
    before = evaluation([0.0] * 6 + [1.0] * 4, [0.0] * 10)
    after = evaluation([1.0] * 5 + [0.0] + [1.0] * 4, [0.5] * 10)
    gain = difference(after, before, np.random.default_rng(0), 200)
    assert gain["greedy"]["mean"] == pytest.approx(0.5)
    assert gain["greedy"]["p"] == pytest.approx(2 / 2**5)  # five questions changed, all one way
    assert gain["sampled"]["mean"] == pytest.approx(0.5) and "p" not in gain["sampled"]
