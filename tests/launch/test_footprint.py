"""Against numbers worked out by hand for a model small enough to do so."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from actors.seats import Node
from launch.architectures import planned_shape
from launch.footprint import (
    ModelShape,
    disk_bytes,
    engine_memory,
    episodes,
    fullest_node,
    host_memory,
    learner_memory,
    node_memory,
    read_config,
    read_shape,
    shape_of,
    trained_parameters,
)
from medrl.config import Config, parse
from medrl.errors import ConfigError
from medrl.lora import add_adapters
from medrl.sections.machines import TrackingConfig
from tests.tiny import save_tiny

SHAPE = ModelShape(
    parameters=1_000_000,
    layers=2,
    hidden=64,
    intermediate=128,
    heads=4,
    kv_heads=2,
    head_dim=16,
    vocab=1000,
    context=512,
)


def config(**sections: object) -> Config:
    return parse({"name": "t", "model": {"dtype": "bfloat16"}, **sections}, "test")


@pytest.mark.parametrize(
    ("stage", "weights", "gradients", "optimizer"),
    [(0, 2e6, 4e6, 3e6), (1, 2e6, 4e6, 3e6), (2, 2e6, 1e6, 3e6), (3, 0.5e6, 1e6, 3e6)],
)
def test_zero_shares_out_over_four_ranks(stage: int, weights: float, gradients: float, optimizer: float) -> None:
    """1M parameters: 2 MB in bf16, 4 MB of float32 gradients, 12 MB of AdamW state; over 4 ranks by stage."""
    memory = learner_memory(config(learner={"ranks": 4, "zero_stage": stage}), SHAPE)
    assert (memory.weights, memory.gradients, memory.optimizer) == (weights, gradients, optimizer)


@pytest.mark.parametrize(("stage", "reference"), [(0, 2e6), (2, 2e6), (3, 0.5e6)])
def test_a_reference_is_a_copy_of_the_weights(stage: int, reference: float) -> None:
    """1M parameters in bf16; over 4 ranks at stage 3. Below adapters the model itself is the reference."""
    learner = {"ranks": 4, "zero_stage": stage}
    off, on = (learner_memory(config(learner=learner, grpo={"kl": kl}), SHAPE) for kl in (0.0, 0.1))
    assert (off.reference, on.reference) == (0.0, reference)
    assert on.total == off.total + reference
    assert learner_memory(config(learner=learner | {"lora_rank": 8}, grpo={"kl": 0.1}), SHAPE).reference == 0.0


def test_activations_and_logits_by_hand() -> None:
    """Per token and layer: 6·64 + 2·2·16 + 3·128 = 832 values of 2 bytes: 1664 bytes.

    2 layers × 1000 tokens: 3,328,000. Checkpointed: 2 × 1000 × 64 × 2 + one layer's 1,664,000 = 1,920,000.
    Logits: a quarter of the tokens are actions, 250 × 1000 × 2 bytes, and as much for their gradient.
    """
    env = {"max_turn_tokens": 50, "observation_tokens": 150}
    plain = learner_memory(config(env=env, learner={"micro_batch_tokens": 1000}), SHAPE)
    assert plain.activations == 3_328_000
    assert plain.logits == 1_000_000
    saving = learner_memory(config(learner={"micro_batch_tokens": 1000, "gradient_checkpointing": True}), SHAPE)
    assert saving.activations == 1_920_000


def test_the_cache_by_hand() -> None:
    """Keys and values: 2 × 2 layers × 2 heads × 16 × 2 bytes = 256 bytes a token; 1 GiB holds 4,194,304 tokens."""
    memory = engine_memory(config(model={"dtype": "bfloat16", "max_length": 1024}, pool={"kv_cache_gb": 1.0}), SHAPE)
    assert memory.kv_bytes_per_token == 256
    assert memory.cached_sequences == 4096
    on_gpu = engine_memory(config(pool={"gpu_memory_utilization": 0.5, "tensor_parallel": 2}), SHAPE, device_bytes=10e9)
    assert on_gpu.weights == 1e6
    assert on_gpu.kv_cache == 5e9 - 1e6 - 3e9


def test_host_memory_grows_by_what_is_added() -> None:
    one, two = host_memory(config(), SHAPE), host_memory(config(pool={"engines": 2}), SHAPE)
    assert two["inference"] == 2 * one["inference"]
    assert {part: size for part, size in two.items() if part != "inference"} == {
        part: size for part, size in one.items() if part != "inference"
    }


def test_episodes_and_disk() -> None:
    """3 steps × 4 × 2 = 24 episodes of training; 5 questions × (3 greedy + 2 models × 2) = 35 of evaluation."""
    small = config(
        grpo={"steps": 3, "groups_per_step": 4, "group_size": 2},
        kisa={"heldout_questions": 5},
        eval={"questions": 160, "samples": 2},
    )
    assert episodes(small) == 59
    disk = disk_bytes(small, SHAPE)
    assert disk["checkpoints"] == 3 * 2e6
    assert disk["trajectories"] == 59 * 1536 * 45 + 24 * 1536 * 8
    assert disk_bytes(small.model_copy(update={"tracking": TrackingConfig(token_logprobs=False)}), SHAPE)[
        "trajectories"
    ] == (59 * 1536 * 45)


def test_refilled_groups_are_counted_with() -> None:
    small = config(
        grpo={"steps": 3, "groups_per_step": 4, "group_size": 2, "refill": 2},
        kisa={"heldout_questions": 5},
        eval={"questions": 160, "samples": 2},
    )
    assert episodes(small) == 3 * 6 * 2 + 35


def test_of_adapters_only_the_factors_are_trained() -> None:
    """Counted on a real model with peft's adapters, of grouped-query attention."""
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=40, hidden_size=12, intermediate_size=20, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, head_dim=6,
        )
    )  # fmt: skip
    shape = shape_of(model.config.to_dict(), model.num_parameters())
    assert trained_parameters(config(), shape) == model.num_parameters()
    add_adapters(model, rank=3, alpha=6.0, seed=1)
    adapted = config(learner={"lora_rank": 3})
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert trained_parameters(adapted, shape) == trained
    assert learner_memory(adapted, shape).optimizer == 12 * trained
    assert disk_bytes(adapted, shape)["what GRPO goes on from"] == 24 * trained


def write_model(folder: Path, **changed: object) -> None:
    values = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 1000,
        "max_position_embeddings": 512,
    }
    (folder / "config.json").write_text(json.dumps({key: each for key, each in (values | changed).items() if each}))
    save_file({"a": torch.zeros(10, 7)}, folder / "one.safetensors", metadata={"format": "pt"})
    save_file({"b": torch.zeros(5)}, folder / "two.safetensors")


def test_sizes_are_read_without_the_weights(tmp_path: Path) -> None:
    write_model(tmp_path)
    assert read_shape(tmp_path) == ModelShape(75, 2, 64, 128, 4, 4, 16, 1000, 512)
    write_model(tmp_path, num_key_value_heads=2, head_dim=32)
    shape = read_shape(tmp_path)
    assert (shape.kv_heads, shape.head_dim) == (2, 32)


def test_a_model_of_another_kind_is_named(tmp_path: Path) -> None:
    write_model(tmp_path, num_hidden_layers=None)
    with pytest.raises(ConfigError, match="num_hidden_layers is missing"):
        read_shape(tmp_path)


SMOLLM2 = {
    "model_type": "llama",
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}


def test_parameters_are_counted_as_published_and_as_they_are(tmp_path: Path) -> None:
    """7.62B and 32.8B by the model cards, 134,515,008 in SmolLM2-135M's file; the tiny model by its own."""
    assert shape_of(SMOLLM2).parameters == 134_515_008
    for name, billions in (("Qwen2.5-7B-Instruct", 7.62), ("Qwen2.5-7B", 7.62), ("Qwen2.5-32B-Instruct", 32.8)):
        _, shape = planned_shape(config(model={"path": f"/no/such/place/{name}"}))
        assert round(shape.parameters / 1e9, 3 - len(str(int(billions)))) == billions
    folder = save_tiny(tmp_path)
    counted = shape_of(read_config(folder)).parameters
    assert counted == read_shape(folder).parameters > 0
    for file in folder.glob("*.safetensors"):
        file.unlink()
    assert planned_shape(config(model={"path": str(folder)})) == (folder, shape_of(read_config(folder)))


def test_memory_of_nodes_by_hand() -> None:
    """Published weights of 2 MB, twice; 12 MB of checkpoint over 4 ranks, of which the first node has 3."""
    wide = config(device="cuda", learner={"ranks": 4}, rollout={"workers": 1}, pool={"tensor_parallel": 2})
    first = node_memory(wide, SHAPE, ["learner-0", "learner-1", "learner-2", "reward"])
    assert first["weights on their way"] == 4e6
    assert first["checkpoint, a copy"] == 9e6
    assert first["learner processes"] == 3 * 1.2e9
    second = node_memory(wide, SHAPE, ["learner-3", "rollout-0"])
    assert second["weights on their way"] == 0
    assert second["rollout workers"] == 0.8e9
    assert node_memory(wide, SHAPE, ["engine-0"])["engine processes"] == 3 * 1.9e9
    one, two = Node("1", "one", 8, 3), Node("2", "two", 8, 8)
    seated = {"learner-0": one, "learner-1": one, "learner-2": one, "learner-3": two, "rollout-0": two}
    assert fullest_node(wide, SHAPE, seated)[0] == "one"
