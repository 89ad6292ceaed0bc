"""Adapters under `ActionLogProbs` against peft's own model under plain autograd, and merged against not."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from medrl.lora import Weight, add_adapters, weights, without_adapters
from medrl.policy import ActionLogProbs
from tests.medrl.test_policy import batch, llama, make, models, paths


def adapted(build: object, seed: int = 5) -> PreTrainedModel:
    """With adapters that are no longer 0."""
    model = make(build)  # type: ignore[arg-type]
    add_adapters(model, rank=3, alpha=6.0, seed=seed)
    torch.manual_seed(4)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.3)
    return model


def merged(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: weight.merged().clone() for name, weight in weights(model)}


@paths
@models
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "recomputed"])
def test_gradient_is_that_of_pefts_own_model(build: object, ragged: bool, checkpointing: bool) -> None:
    model = adapted(build).train()
    config = LoraConfig(r=3, lora_alpha=6.0, target_modules="all-linear", task_type="CAUSAL_LM")
    reference = get_peft_model(make(build), config)  # type: ignore[arg-type]
    reference.base_model.model.load_state_dict(model.state_dict())
    input_ids, attention_mask, action_mask = batch(2)
    slope = torch.randn(input_ids.shape, generator=torch.Generator().manual_seed(2))

    table = torch.log_softmax(reference(input_ids=input_ids, attention_mask=attention_mask.long()).logits, dim=-1)
    chosen = table[:, :-1].gather(2, input_ids[:, 1:, None]).squeeze(2)
    (chosen * slope[:, 1:])[action_mask[:, 1:]].sum().backward()
    scores = ActionLogProbs(model, ragged=ragged, gradient_checkpointing=checkpointing)(*batch(2))
    (scores.logp * slope).sum().backward()

    torch.testing.assert_close(scores.logp[:, 1:], chosen * action_mask[:, 1:], rtol=1e-4, atol=1e-4)
    own, expected = (dict(m.named_parameters()) for m in (model, reference.base_model.model))
    trained = {name for name, parameter in own.items() if parameter.requires_grad}
    assert trained == {name for name in own if ".lora_" in name}
    assert len(trained) == 2 * 2 * 7  # A and B, two layers, q k v o gate up down
    for name in trained:
        assert expected[name].grad.abs().max() > 0
        torch.testing.assert_close(own[name].grad, expected[name].grad, rtol=1e-3, atol=1e-3)


@models
def test_the_merged_weights_are_a_plain_model_with_the_same_scores(build: object) -> None:
    model = adapted(build)
    plain = make(build)  # type: ignore[arg-type]
    before = ActionLogProbs(make(build))(*batch())  # type: ignore[arg-type]
    names = {name for name, _ in plain.named_parameters()}
    found = merged(model)
    assert found.keys() == names
    plain.load_state_dict(found, strict=False)
    plain.tie_weights()
    expected, own = ActionLogProbs(model)(*batch()), ActionLogProbs(plain)(*batch())
    torch.testing.assert_close(own.logp, expected.logp, rtol=1e-4, atol=1e-4)
    assert (expected.logp - before.logp).abs().max() > 0.1  # the adapters do something


def test_merging_is_done_in_float32() -> None:
    torch.manual_seed(0)
    base, a, b = (torch.nn.Parameter(torch.randn(shape).bfloat16()) for shape in ((6, 5), (2, 5), (6, 2)))
    exact = base.double() + 0.5 * (b.double() @ a.double())
    assert torch.equal(Weight(base, a, b, 0.5).merged(), exact.to(torch.bfloat16))
    assert Weight(base).merged().data_ptr() == base.data_ptr()


def test_new_adapters_change_nothing_and_follow_the_seed() -> None:
    plain, model = make(llama), make(llama)
    state = torch.get_rng_state()
    add_adapters(model, rank=3, alpha=6.0, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(ActionLogProbs(model)(*batch()).logp, ActionLogProbs(plain)(*batch()).logp)
    again, other = (next(p for n, p in adapted(llama, s).named_parameters() if "lora_A" in n) for s in (1, 2))
    own = next(p for n, p in model.named_parameters() if "lora_A" in n)
    assert torch.equal(own, again)
    assert not torch.equal(own, other)


@paths
@models
def test_without_its_adapters_it_is_the_model_below_and_afterwards_itself_again(build: object, ragged: bool) -> None:
    model = adapted(build).train()
    scorer = ActionLogProbs(model, ragged=ragged)
    with torch.no_grad():
        below = ActionLogProbs(make(build), ragged=ragged)(*batch(2)).logp  # type: ignore[arg-type]
        whole = scorer(*batch(2)).logp
        with without_adapters(model):
            assert torch.equal(scorer(*batch(2)).logp, below)
        assert torch.equal(scorer(*batch(2)).logp, whole) and not torch.equal(whole, below)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {name for name, _ in model.named_parameters() if ".lora_" in name}
