"""The learner in processes of its own: one and two ranks, every ZeRO stage, several micro-batch splits."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from medrl.grpo import policy_loss
from medrl.packing import TrainSample, collate
from tests.actors.conftest import make_samples
from tests.actors.gradient_cells import gradient_deviations, group_of_episodes, whole_batch_gradient
from tests.actors.ranks import Case, CaseResult, run_ranks

pytestmark = pytest.mark.slow

WHOLE, SPLIT, SINGLE = 1_000_000, 100, 1


def case(calls: list[Any], micro_batch_tokens: int = SPLIT, stage: int = 0, **grpo: Any) -> Case:
    learner = {"micro_batch_tokens": micro_batch_tokens, "zero_stage": stage, "max_grad_norm": 1e9, "threads": 1}
    return {"config": {"name": "t", "model": {"dtype": "float32"}, "learner": learner, "grpo": grpo}, "calls": calls}


def update(objective: str = "policy", **others: Any) -> list[Any]:
    samples = [
        {"token_ids": s.token_ids, "action_mask": s.action_mask, "logprobs": s.logprobs, "advantage": s.advantage}
        for s in make_samples()
    ]
    return ["update", {"samples": samples, "objective": objective, "lr": 1e-3} | others]


GRADIENTS = ["gradients", {}]
GRADIENT_CASES: dict[str, Case] = {
    "whole": case([update(), GRADIENTS], WHOLE),
    "split": case([update(), GRADIENTS], SPLIT),
    "single": case([update(), GRADIENTS], SINGLE),
    "stage-2": case([update(), GRADIENTS], SPLIT, 2),
    "stage-3": case([update(), GRADIENTS], SPLIT, 3),
    "token_mean": case([update(), GRADIENTS], SPLIT, aggregation="token_mean"),
    "sequence_mean": case([update(), GRADIENTS], SPLIT, aggregation="sequence_mean"),
    "sft": case([update("sft"), GRADIENTS], SPLIT),
    "warm": case([update(), GRADIENTS], SPLIT, temperature=0.7),
}


@pytest.fixture(scope="module", params=[1, 2], ids=["1 rank", "2 ranks"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Any:
    folder = tmp_path_factory.mktemp("gradients")
    results = run_ranks(folder, tiny_folder, list(GRADIENT_CASES.values()), request.param)
    return dict(zip(GRADIENT_CASES, results, strict=True))


def oracle(folder: Path, name: str) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradient of the whole batch at once, from plain transformers and all logits."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    batch = collate(make_samples(), pad_id=0)
    temperature = 0.7 if name == "warm" else 1.0
    logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask.long()).logits / temperature
    logp = torch.zeros(batch.input_ids.shape)
    chosen = torch.log_softmax(logits[:, :-1], -1).gather(2, batch.input_ids[:, 1:, None]).squeeze(2)
    logp = torch.cat([logp[:, :1], chosen], dim=1)
    if name == "sft":
        loss = -logp[batch.action_mask].mean()
    else:
        aggregation = name if name in ("token_mean", "sequence_mean") else "sequence_sum"
        loss = policy_loss(
            logp, logp.detach(), batch.advantages, batch.action_mask,
            clip_low=0.2, clip_high=0.28, aggregation=aggregation,
        ).loss  # fmt: skip
    loss.backward()
    return float(loss.detach()), {f"model.{key}": parameter.grad for key, parameter in model.named_parameters()}


@pytest.mark.parametrize("name", GRADIENT_CASES)
def test_gradient_is_that_of_the_whole_batch(found: dict[str, CaseResult], tiny_folder: Path, name: str) -> None:
    loss, expected = oracle(tiny_folder, name)
    result = found[name]
    assert result.gradients.keys() == expected.keys()
    for key, gradient in expected.items():
        torch.testing.assert_close(
            result.gradients[key], gradient, rtol=1e-3, atol=2e-5, msg=lambda m, k=key: f"{k}: {m}"
        )
    norm = torch.cat([gradient.flatten() for gradient in expected.values()]).norm()
    for rank in result.calls:
        assert rank[0]["grad_norm"] == pytest.approx(float(norm), rel=1e-3)
        assert rank[0]["loss"] == pytest.approx(loss, rel=1e-3, abs=1e-5)


@pytest.mark.contract(
    "1 exact gradient", "packed or padded, micro-batches of 1/2/4/all, 1 and 2 ranks, ZeRO 0/2/3, float32"
)
def test_gradient_is_that_of_the_whole_batch_however_it_is_split(
    tmp_path: Path, tiny_folder: Path, record_property: Any
) -> None:
    assert max(float(g.abs().max()) for g in whole_batch_gradient(tiny_folder, group_of_episodes()).values()) > 0.1
    found = gradient_deviations(tmp_path, tiny_folder)
    assert len(found) == 48
    record_property("figure", f"{len(found)} cells, at most {max(found.values()):.1e} from the whole batch in float64")
    assert {name: deviation for name, deviation in found.items() if not deviation <= 1e-5} == {}


def test_statistics_are_those_of_all_ranks(found: dict[str, CaseResult]) -> None:
    samples = make_samples()
    for name, result in found.items():
        for rank in result.calls:
            assert rank[0]["tokens"] == sum(len(s.token_ids) for s in samples)
            assert rank[0]["action_tokens"] == sum(s.num_actions for s in samples)
            if name != "sft":
                assert rank[0]["ratio_mean"] == 1.0  # one update a batch: old and new are the same weights
                assert rank[0]["clipfrac"] == 0.0


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> tuple[Path, dict[str, CaseResult]]:
    """One rank: log-probs, weights out."""
    folder = tmp_path_factory.mktemp("lives")
    samples = update()[1]["samples"]
    logprobs = ["logprobs", {"samples": samples}]
    (folder / "weights").mkdir()
    export = ["export_weights", {"version": 3, "folder": str(folder / "weights")}]
    cases = {
        "saved": case(
            [
                logprobs,
                update(),
                logprobs,
                export,
                ["save_pretrained", {"folder": str(folder / "hf")}],
            ]
        ),
    }  # fmt: skip
    results = run_ranks(folder / "run", tiny_folder, list(cases.values()), 1)
    return folder, dict(zip(cases, results, strict=True))


@pytest.mark.contract("1 exact gradient", "LoRA, ZeRO 0/2/3: trained alone, merged scores equal the learner's")
@pytest.mark.parametrize("ranks", [1, 2])
def test_adapters_are_trained_alone_and_leave_merged(tmp_path: Path, tiny_folder: Path, ranks: int) -> None:
    """Two updates: B is 0 at first, so A moves with the second."""
    logprobs = ["logprobs", {"samples": update()[1]["samples"]}]
    stages, cases = (0, 2, 3), []
    for stage in stages:
        (tmp_path / f"weights-{stage}").mkdir()
        export = ["export_weights", {"version": 3, "folder": str(tmp_path / f"weights-{stage}")}]
        save = ["save_pretrained", {"folder": str(tmp_path / f"hf-{stage}")}]
        cases.append(case([logprobs, update(), GRADIENTS, update(), logprobs, export, save], stage=stage))
        cases[-1]["config"]["learner"] |= {"lora_rank": 4, "lora_alpha": 8.0}
    results = run_ranks(tmp_path / "run", tiny_folder, cases, ranks)
    base = load_file(tiny_folder / "model.safetensors")
    for stage, result in zip(stages, results, strict=True):
        before, after = ({k: v for rank in result.calls for k, v in rank[call].items()} for call in (0, 4))
        trained = model_logprobs(tmp_path / f"hf-{stage}", make_samples())
        if ranks == 1:
            assert_same(before, model_logprobs(tiny_folder, make_samples()))
            assert_same(after, trained)
        assert all(".lora_" in name for name in result.gradients)
        assert len(result.gradients) == 2 * 2 * 7
        saved = load_file(tmp_path / f"hf-{stage}/model.safetensors")
        published = load_file(tmp_path / f"weights-{stage}/v3/00000.safetensors")
        assert saved.keys() == published.keys() == base.keys()
        for name, tensor in saved.items():
            assert torch.equal(published[name], tensor), name
            assert torch.equal(tensor, base[name]) == (not name.endswith("_proj.weight")), name


@pytest.mark.contract("1 exact gradient", "Ulysses over gloo, ZeRO 0 and 3, groups of 2 ranks of 2 and 4")
@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_that_share_an_episode_give_the_same_gradient_and_scores(
    tmp_path: Path, tiny_folder: Path, ranks: int
) -> None:
    """Ulysses over gloo: groups of two ranks."""
    logprobs = ["logprobs", {"samples": update()[1]["samples"]}]
    for stage in (0, 3):
        split = case([logprobs, update(), GRADIENTS], stage=stage) | {"split": 2}
        split["config"]["learner"]["gradient_checkpointing"] = stage == 3
        [result] = run_ranks(tmp_path / f"{stage}", tiny_folder, [split], ranks)
        loss, expected = oracle(tiny_folder, "split")
        for key, gradient in expected.items():
            torch.testing.assert_close(result.gradients[key], gradient, rtol=1e-3, atol=2e-5)
        scores = {}
        for rank in range(ranks):
            assert result.calls[rank][1]["loss"] == pytest.approx(loss, rel=1e-3, abs=1e-5)
            assert result.calls[rank][1]["tokens"] == sum(len(s.token_ids) for s in make_samples())
            assert result.calls[rank][0] == result.calls[rank ^ 1][0]
            scores |= result.calls[rank][0]
        assert_same(scores, model_logprobs(tiny_folder, make_samples()))


@torch.no_grad()
def model_logprobs(folder: Path, samples: list[TrainSample]) -> list[list[float]]:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    rows = []
    for sample in samples:
        ids = torch.tensor([sample.token_ids])
        table = torch.log_softmax(model(input_ids=ids).logits[0], dim=-1)
        chosen = [float(table[t - 1, token]) for t, token in enumerate(sample.token_ids) if t]
        rows.append(
            [value if action else 0.0 for value, action in zip([0.0, *chosen], sample.action_mask, strict=True)]
        )
    return rows


def assert_same(found: dict[str, list[float]], expected: list[list[float]], tolerance: float = 1e-4) -> None:
    assert [len(found[str(i)]) for i in range(len(expected))] == [len(row) for row in expected]
    for i, row in enumerate(expected):
        assert found[str(i)] == pytest.approx(row, abs=tolerance)


def test_logprobs_are_the_models_own(lives: tuple[Path, dict[str, CaseResult]], tiny_folder: Path) -> None:
    _, results = lives
    assert_same(results["saved"].calls[0][0], model_logprobs(tiny_folder, make_samples()))


def test_a_saved_folder_holds_the_updated_policy_and_its_tokenizer(lives: tuple[Path, dict[str, CaseResult]]) -> None:
    folder, results = lives
    before, after = results["saved"].calls[0][0], results["saved"].calls[0][2]
    assert before != after
    assert_same(after, model_logprobs(folder / "hf", make_samples()))
    assert AutoTokenizer.from_pretrained(folder / "hf").decode([104, 105]) is not None
    assert not list(folder.glob(".*partial")) and not list(folder.glob(".*old"))


def test_published_weights_are_the_saved_ones_by_the_same_names(lives: tuple[Path, dict[str, CaseResult]]) -> None:
    folder, _ = lives
    published, saved = load_file(folder / "weights/v3/00000.safetensors"), load_file(folder / "hf/model.safetensors")
    assert published.keys() == saved.keys()
    assert "lm_head.weight" not in published  # tied: it travels once
    for name, tensor in saved.items():
        assert torch.equal(published[name], tensor), name


@pytest.mark.contract("9 resume", "learner resumed, ZeRO 0/2/3, float32 and bfloat16: equal to the bit")
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_resumed_learner_goes_on_to_the_bit(tmp_path: Path, tiny_folder: Path, ranks: int) -> None:
    """SFT, then an update of the policy and log-probs, against the same with another learner for the second update."""
    logprobs = ["logprobs", {"samples": update()[1]["samples"]}]
    pairs = []
    for stage, (dtype, adapters) in itertools.product((0, 2, 3), (("float32", 0), ("bfloat16", 0), ("bfloat16", 4))):
        folder = tmp_path / f"{stage}-{dtype}-{adapters}"
        folder.mkdir()
        place = {"folder": str(folder)}
        whole = case([update("sft"), ["save_checkpoint", place], update(), logprobs], stage=stage)
        resumed = case([["load_checkpoint", place], update(), logprobs], stage=stage)
        for each in (whole, resumed):
            each["config"]["model"] = {"dtype": dtype}
            each["config"]["learner"]["lora_rank"] = adapters
        pairs += [whole, resumed]
    results = run_ranks(tmp_path / "run", tiny_folder, pairs, ranks)
    for whole_result, resumed_result in zip(results[::2], results[1::2], strict=True):
        for rank in range(ranks):
            assert whole_result.calls[rank][-1] == resumed_result.calls[rank][-1]
            ended, again = whole_result.calls[rank][2], resumed_result.calls[rank][1]
            assert ended["grad_norm"] == again["grad_norm"]
            assert whole_result.calls[rank][0]["grad_norm"] != ended["grad_norm"]


def test_a_checkpoint_of_another_shape_is_refused(tmp_path: Path, tiny_folder: Path) -> None:
    place = {"folder": str(tmp_path)}
    run_ranks(tmp_path / "one", tiny_folder, [case([["save_checkpoint", place]])], 1)
    with pytest.raises(AssertionError, match="was written with learner.zero_stage=0, this run has 2: set it back"):
        run_ranks(tmp_path / "two", tiny_folder, [case([["load_checkpoint", place]], stage=2)], 1)
    data = (tmp_path / "learner-0.safetensors").read_bytes()
    (tmp_path / "learner-0.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(AssertionError, match=r"learner-0.safetensors: the learner's state cannot be read"):
        run_ranks(tmp_path / "three", tiny_folder, [case([["load_checkpoint", place]])], 1)


def test_a_second_update_sees_how_far_the_policy_moved(tmp_path: Path, tiny_folder: Path) -> None:
    samples = make_samples()
    old = model_logprobs(tiny_folder, samples)
    [result] = run_ranks(tmp_path, tiny_folder, [case([update(old_logprobs=old), update(old_logprobs=old)])], 1)
    first, second = result.calls[0]
    assert first["ratio_mean"] == pytest.approx(1.0, abs=1e-4)
    assert abs(second["ratio_mean"] - 1.0) > 1e-3 or second["approx_kl"] > 1e-4
