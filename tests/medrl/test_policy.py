"""`ActionLogProbs` against the whole table of logits, with padding, on both of its paths."""

from collections.abc import Callable

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from medrl.policy import ActionLogProbs

SIZES = {
    "vocab_size": 300,
    "hidden_size": 96,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "attn_implementation": "sdpa",
}
LENGTHS = (40, 9, 60, 2)


def llama(tied: bool = True) -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=tied))


def qwen2() -> PreTrainedModel:
    return Qwen2ForCausalLM(
        Qwen2Config(**{k: v for k, v in SIZES.items() if k != "head_dim"}, use_sliding_window=False)
    )


def qwen3() -> PreTrainedModel:
    return Qwen3ForCausalLM(Qwen3Config(**SIZES, tie_word_embeddings=False))


def make(build: Callable[[], PreTrainedModel]) -> PreTrainedModel:
    """The same random weights at every call; norms and biases too are away from their initial 1 and 0."""
    torch.manual_seed(0)
    model = build().float()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model


def batch(shared: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`shared`: how many tokens all rows begin with."""
    torch.manual_seed(1)
    shape = (len(LENGTHS), max(LENGTHS))
    input_ids = torch.randint(0, SIZES["vocab_size"], shape)
    input_ids[:, :shared] = input_ids[0, :shared]
    attention_mask = torch.arange(shape[1]) < torch.tensor(LENGTHS)[:, None]
    action_mask = (torch.rand(shape) < 0.5) & attention_mask
    action_mask[:, 0] = False
    action_mask[3] = False  # a row without actions
    return input_ids, attention_mask, action_mask


def oracle(model: PreTrainedModel, temperature: float, shared: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Every row alone, without padding, all logits at once."""
    input_ids, _, action_mask = batch(shared)
    logp = torch.zeros(input_ids.shape)
    entropy = torch.zeros(input_ids.shape)
    for row, length in enumerate(LENGTHS):
        ids = input_ids[row : row + 1, :length]
        table = torch.log_softmax(model(input_ids=ids).logits[0] / temperature, dim=-1)
        for t in range(1, length):
            if action_mask[row, t]:
                logp[row, t] = table[t - 1, ids[0, t]]
                entropy[row, t] = -(table[t - 1].exp() * table[t - 1]).sum().detach()
    return logp, entropy


paths = pytest.mark.parametrize("ragged", [True, False], ids=["ragged", "padded"])
models = pytest.mark.parametrize(
    "build", [llama, lambda: llama(False), qwen2, qwen3], ids=["tied", "untied", "qwen2", "qwen3"]
)


@paths
@models
@pytest.mark.parametrize(("temperature", "shared"), [(1.0, 0), (0.7, 1), (1.0, 2)])
def test_log_probs_entropy_and_gradient_equal_the_full_table(
    build: Callable[[], PreTrainedModel], ragged: bool, temperature: float, shared: int
) -> None:
    reference, model = make(build), make(build)
    logp, entropy = oracle(reference, temperature, shared)
    weights = torch.randn(logp.shape, generator=torch.Generator().manual_seed(2))
    (logp * weights).sum().backward()

    scores = ActionLogProbs(model, ragged=ragged)(*batch(shared), temperature)
    (scores.logp * weights).sum().backward()

    torch.testing.assert_close(scores.logp, logp, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scores.entropy, entropy, rtol=1e-4, atol=1e-4)
    assert not scores.entropy.requires_grad
    for (name, own), other in zip(model.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-3, atol=1e-3, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.contract("4 masked positions", "padding may hold anything, packed or padded")
@paths
def test_padding_may_hold_anything(ragged: bool) -> None:
    policy = ActionLogProbs(make(llama), ragged=ragged)
    input_ids, attention_mask, action_mask = batch()
    other = torch.where(attention_mask, input_ids, (input_ids + 17) % SIZES["vocab_size"])
    first, second = policy(input_ids, attention_mask, action_mask), policy(other, attention_mask, action_mask)
    torch.testing.assert_close(first.logp, second.logp)


@paths
def test_without_actions_every_parameter_still_gets_a_gradient_of_zero(ragged: bool) -> None:
    model = make(llama)
    input_ids, attention_mask, action_mask = batch()
    scores = ActionLogProbs(model, ragged=ragged)(input_ids, attention_mask, torch.zeros_like(action_mask))
    scores.logp.sum().backward()
    assert scores.logp.eq(0).all()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.eq(0).all(), name


@pytest.mark.contract("1 exact gradient", "gradient checkpointing, packed or padded")
@paths
def test_checkpointing_changes_memory_only(ragged: bool) -> None:
    plain, saving = make(llama).train(), make(llama).train()
    ActionLogProbs(plain, ragged=ragged)(*batch()).logp.sum().backward()
    ActionLogProbs(saving, gradient_checkpointing=True, ragged=ragged)(*batch()).logp.sum().backward()
    for own, other in zip(saving.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad)


def test_bf16_scores_are_close_to_float32_ones() -> None:
    """The products are bf16, the logits are not rounded: what is left is the hidden states' own rounding."""
    exact, _ = oracle(make(llama), 1.0)
    scores = ActionLogProbs(make(llama).bfloat16(), ragged=True)(*batch())
    differences = (scores.logp - exact).abs()[batch()[2]]
    assert scores.logp.dtype == torch.float32
    assert differences.mean() < 0.05


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_a_temperature_without_a_distribution_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        ActionLogProbs(make(llama))(*batch(), temperature)


def test_an_action_without_a_prefix_is_refused() -> None:
    input_ids, attention_mask, action_mask = batch()
    action_mask[0, 0] = True
    with pytest.raises(ValueError, match="first token"):
        ActionLogProbs(make(llama))(input_ids, attention_mask, action_mask)


def test_a_head_that_does_more_than_multiply_is_refused() -> None:
    model = make(llama)
    model.config.final_logit_softcapping = 30.0
    with pytest.raises(ValueError, match="final_logit_softcapping"):
        ActionLogProbs(model)


@pytest.mark.contract("1 exact gradient", "a group's common prompt is computed once, same log-probs")
def test_tokens_that_rows_begin_with_are_computed_once() -> None:
    seen = []
    model = make(llama)
    model.model.embed_tokens.register_forward_hook(lambda module, args, out: seen.append(args[0].numel()))
    ActionLogProbs(model, ragged=True)(*batch(shared=2))
    assert seen == [sum(LENGTHS) - 2 * (len(LENGTHS) - 1)]
