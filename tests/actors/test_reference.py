"""The frozen reference of grpo.kl in real ranks: every ZeRO stage, adapters, slices of episodes, and a resumed run."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.actors.conftest import make_samples
from tests.actors.ranks import Case, run_ranks
from tests.actors.test_deepspeed_learner import assert_same, case, model_logprobs, update

pytestmark = pytest.mark.slow

CELLS = list(itertools.product((0, 2, 3), (0, 4)))  # ZeRO stage, rank of adapters


def kl_case(calls: list[Any], stage: int, adapters: int) -> Case:
    made = case(calls, stage=stage, kl=0.5)
    made["config"]["learner"] |= {"lora_rank": adapters, "lora_alpha": 8.0}
    return made


def samples_only() -> dict[str, Any]:
    return {"samples": update()[1]["samples"]}


def merged(calls: list[list[Any]], index: int) -> dict[str, list[float]]:
    return {key: row for rank in calls for key, row in rank[index].items()}


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_reference_stays_what_the_learner_was_started_on(tmp_path: Path, tiny_folder: Path, ranks: int) -> None:
    """After updates, and after another policy's state has been loaded."""
    reference, own = ["reference_logprobs", samples_only()], ["logprobs", samples_only()]
    cases = []
    for stage, adapters in CELLS:
        place = tmp_path / f"{stage}-{adapters}"
        place.mkdir()
        folder = {"folder": str(place)}
        cases.append(kl_case([own, reference, update(), update(), ["save_checkpoint", folder]], stage, adapters))
        cases.append(kl_case([["load_checkpoint", folder], own, reference, update(), own], stage, adapters))
    results = run_ranks(tmp_path / "run", tiny_folder, cases, ranks)
    expected = model_logprobs(tiny_folder, make_samples())
    for fresh, resumed in zip(results[::2], results[1::2], strict=True):
        first = merged(fresh.calls, 0)
        assert merged(fresh.calls, 1) == first == merged(resumed.calls, 2)
        assert_same(first, expected)
        assert merged(resumed.calls, 1) != first  # the policy moved
        assert merged(resumed.calls, 4) != merged(resumed.calls, 1)  # and goes on after the reference was asked


@pytest.mark.contract("9 resume", "KL to a reference, learner resumed, ZeRO 0/2/3 and LoRA: equal to the bit")
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_resumed_learner_with_kl_goes_on_to_the_bit(tmp_path: Path, tiny_folder: Path, ranks: int) -> None:
    """Two updates against the same with another learner for the second, whose reference is loaded anew."""
    rows = model_logprobs(tiny_folder, make_samples())
    own, ask = ["logprobs", samples_only()], ["reference_logprobs", samples_only()]
    step = update(ref_logprobs=rows)
    cases = []
    for stage, adapters in CELLS:
        place = tmp_path / f"{stage}-{adapters}"
        place.mkdir()
        folder = {"folder": str(place)}
        cases.append(kl_case([ask, step, ["save_checkpoint", folder], ask, step, own], stage, adapters))
        cases.append(kl_case([["load_checkpoint", folder], ask, step, own], stage, adapters))
        cases.append(kl_case([update(), update(), own], stage, adapters))
    results = run_ranks(tmp_path / "run", tiny_folder, cases, ranks)
    for whole, resumed, free in zip(results[::3], results[1::3], results[2::3], strict=True):
        for rank in range(ranks):
            assert whole.calls[rank][3] == resumed.calls[rank][1]
            assert whole.calls[rank][5] == resumed.calls[rank][3] != free.calls[rank][2]
            assert whole.calls[rank][1]["kl_ref"] == pytest.approx(0.0, abs=1e-9)
            assert whole.calls[rank][4]["kl_ref"] == resumed.calls[rank][2]["kl_ref"] > 1e-6


def test_ranks_that_share_an_episode_share_the_reference(tmp_path: Path, tiny_folder: Path) -> None:
    ask = ["reference_logprobs", samples_only()]
    for stage in (0, 3):
        split = kl_case([update(), ask, update()], stage, 0) | {"split": 2}
        [result] = run_ranks(tmp_path / f"{stage}", tiny_folder, [split], 2)
        assert_same(result.calls[0][1], model_logprobs(tiny_folder, make_samples()))
        assert result.calls[0][1] == result.calls[1][1]


def test_an_update_tells_the_log_probs_from_before_it(tmp_path: Path, tiny_folder: Path) -> None:
    own = ["logprobs", samples_only()]
    results = run_ranks(tmp_path, tiny_folder, [case([own, update(), own])], 2)
    for before, updated, after in results[0].calls:
        assert updated["logprobs"] == before != after
