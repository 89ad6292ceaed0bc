from dataclasses import replace
from pathlib import Path

import pytest

from launch.advice import warnings
from launch.architectures import planned_shape
from launch.footprint import read_shape
from launch.plan import render_plan
from launch.recipe import load_recipe
from medrl.config import load
from tests.launch.shapes import SMOLLM2
from tests.launch.test_footprint import SHAPE, write_model


def plan(model: Path, *overrides: str) -> str:
    return render_plan(load_recipe("quickstart", overrides), model, read_shape(model))


def row(text: str, name: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith(f"  {name}  ")]
    return found.removeprefix(f"  {name}").strip()


def test_work_by_hand(tmp_path: Path) -> None:
    write_model(tmp_path)
    text = plan(tmp_path, "grpo.groups_per_step=6", "grpo.group_size=4", "grpo.updates_per_batch=3", "grpo.steps=5")
    assert row(text, "GRPO, a step") == "6 questions × 4 samples = 24 episodes"
    assert "3 optimiser update(s) of 8 sequences" in text
    assert "3 optimiser update(s) of 4 sequences, 2 of each question" in plan(
        tmp_path, "grpo.groups_per_step=6", "grpo.group_size=4", "grpo.updates_per_batch=3", "grpo.train_per_group=2"
    )
    assert row(text, "GRPO, in all") == "5 steps, 120 episodes, 15 updates"


def test_a_reference_shows_in_the_learners_memory(tmp_path: Path) -> None:
    shape = replace(SHAPE, parameters=500_000_000)
    recipes = (load_recipe("quickstart", [f"grpo.kl={kl}", "model.dtype=bfloat16"]) for kl in (0, 0.05))
    off, on = (render_plan(each, tmp_path, shape) for each in recipes)
    assert "reference (grpo.kl)" not in off
    assert row(on, "reference (grpo.kl)") == "1.00 GB"


def test_requests_to_language_models_by_hand(tmp_path: Path) -> None:
    write_model(tmp_path)
    model = "{url: http://127.0.0.1:8000/v1, model: m}"
    sizes = ("kisa.train_questions=30", "kisa.heldout_questions=10", "kisa.solver_samples=3", "kisa.regenerations=1")
    asked = [f"kisa.{name}={model}" for name in ("wording", "teacher", "significance")]
    text = plan(tmp_path, *sizes, *asked, f"kisa.solvers=[{model}]", "env.max_turns=8")
    assert row(text, "wording") == "m: 40 requests, and one for each question that is made harder"
    assert row(text, "solver") == "m: 120 requests, up to 240 if all are made harder"
    assert row(text, "teacher") == "m: 30 episodes, at most 240 requests"
    assert row(text, "significance") == "m: one request for each rare entity, thousands of HPO"
    assert " requests" not in plan(tmp_path)


def test_processes_on_gpus(tmp_path: Path) -> None:
    write_model(tmp_path)
    text = plan(tmp_path, "device=cuda", "pool.engines=2", "pool.tensor_parallel=4", "learner.ranks=2")
    assert row(text, "engine-0 … engine-1") == "4 GPU, 1 CPU"
    assert row(text, "learner-0 … learner-1") == "1 GPU, 1 CPU"
    assert "memory, all processes" not in text


def test_the_papers_model_on_eight_nodes_without_its_weights() -> None:
    """32.8B parameters over 32 ranks: 2 bytes of weights, 4 of gradients, 12 of state; engines hold a quarter each."""
    config = load_recipe("qwen2.5-32b", ["model.path=/not/here/Qwen2.5-32B-Instruct"])
    path, shape = planned_shape(config)
    text = render_plan(config, path, shape)
    learner, rest = text.split("memory, a learner rank (one GPU)")[1].split("memory, an inference engine")
    assert (row(learner, "weights"), row(learner, "gradients (float32)")) == ("2.05 GB", "4.10 GB")
    assert row(learner, "optimiser state") == "12.29 GB"
    assert row(rest, "weights") == "16.38 GB"
    assert row(text, "GPUs") == "64 of 64, 8 a node"
    assert [row(text, f"node-{n}").split(",")[0] for n in range(1, 8)] == ["8 learner ranks"] * 3 + ["2 engines"] * 4
    assert "tokens at most 3 policy versions old, at most 256 groups (4,096 episodes)" in row(text, "schedule")
    assert row(text, "checkpoints/state/").startswith("393.17 GB (12 bytes a trained parameter) every 10 GRPO steps")
    (remark,) = warnings(config, shape)
    assert remark.startswith("grpo.lr=1e-06 is above sft.lr=3e-07")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["cluster.nodes=4"], "need 64 GPUs, the cluster has 32"),
        (["learner.ranks=8"], "a learner GPU needs"),
        (["learner.gradient_checkpointing=false"], "a learner GPU needs"),
        (["pool.engines=32", "pool.tensor_parallel=1"], "66 GB of weights and has no room for a cache"),
        (["cluster.gpu_gb=40"], "raise pool.tensor_parallel, or lower max_sequences"),
        (["cluster.memory_gb=200"], "a node needs 243 GB of memory, cluster.memory_gb=200"),
    ],
)
def test_what_gpus_and_nodes_cannot_hold_is_told(settings: list[str], named: str) -> None:
    config = load_recipe("qwen2.5-32b", [*settings, "model.path=/not/here/Qwen2.5-32B", "grpo.lr=1e-7"])
    _, shape = planned_shape(config)
    found = warnings(config, shape)
    assert any(named in line for line in found), found


def test_the_settings_shown_are_a_recipe_again(tmp_path: Path) -> None:
    write_model(tmp_path)
    text = plan(tmp_path, "grpo.steps=7")
    shown = text.split("all settings\n")[1].split("\n\nwarnings")[0]
    again = tmp_path / "again.yaml"
    again.write_text("\n".join(line[2:] for line in shown.splitlines()))
    assert load(again) == load_recipe("quickstart", ["grpo.steps=7"])


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_quickstart_has_nothing_silly(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launch.advice.fast_precision", lambda device: dtype)
    for recipe in ("quickstart", "cpu"):
        assert warnings(load_recipe(recipe, [f"model.dtype={dtype}"]), SMOLLM2) == []


def test_bfloat16_on_a_processor_without_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launch.advice.fast_precision", lambda device: "float32")
    (warning,) = warnings(load_recipe("quickstart", ["model.dtype=bfloat16"]), SHAPE)
    assert warning.startswith("model.dtype=bfloat16: this processor has no instructions for it") and "auto" in warning


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["env.max_turns=4"], "env.max_turns=4, but 4 hops take 5 turns"),
        (["model.max_length=1000"], "model.max_length=1000 holds 3 turns"),
        (["kisa.heldout_questions=100"], "eval.questions=160, but kisa.heldout_questions=100"),
        (["eval.questions=25"], "25 evaluation questions give intervals of up to ±0.20"),
        (["kisa.train_questions=5"], "questions repeat in a step"),
        (["grpo.updates_per_batch=3"], "80 episodes a step do not divide"),
        (["grpo.temperature=0.2"], "without spread"),
        (["grpo.warmup_steps=20"], "the full rate is never reached"),
        (["grpo.lr=0.001"], "above sft.lr"),
        (["grpo.divide_by_std=true"], "differ from the paper"),
        (["grpo.kl=0.01"], "the paper has no KL term"),
        (["pool.max_sequences=30"], "3 waves"),
        (["learner.micro_batch_tokens=1000"], "below model.max_length"),
        (["learner.zero_stage=2"], "shares nothing out"),
        (["pool.kv_cache_gb=0.001", "pool.max_sequences=80"], "wait for each other"),
    ],
)
def test_silly_settings_are_told(overrides: list[str], named: str, tmp_path: Path) -> None:
    defaults = tmp_path / "defaults.yaml"
    defaults.write_text("name: defaults\n")
    assert warnings(load(defaults), SHAPE) == []
    (warning,) = warnings(load(defaults, tuple(overrides)), SHAPE)
    assert named in warning
