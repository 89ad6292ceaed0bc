import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from launch import model
from launch.gguf_folder import unpermute
from launch.model import PACKAGED, resolve_model
from medrl.errors import ConfigError
from medrl.sections.machines import ModelConfig


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The least that passes; what is in the files is not looked at here."""
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    return tmp_path


def test_a_complete_folder_is_taken_as_it_is(folder: Path) -> None:
    assert resolve_model(ModelConfig(path=str(folder)), Path("unused")) == folder
    assert not Path("unused").exists()


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors", "tokenizer_config.json"])
def test_what_is_missing_is_named_in_one_line(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    expected = {"model.safetensors": r"\*\.safetensors", "tokenizer_config.json": "chat template"}.get(missing, missing)
    with pytest.raises(ConfigError, match=expected) as caught:
        resolve_model(ModelConfig(path=str(folder)), Path("unused"))
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_pickled_weights_are_refused_by_name(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"pytorch_model\.bin is a pickle"):
        resolve_model(ModelConfig(path=str(folder)), Path("unused"))


def test_a_template_in_its_own_file_counts(folder: Path) -> None:
    (folder / "tokenizer_config.json").unlink()
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert resolve_model(ModelConfig(path=str(folder)), Path("unused")) == folder


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder; give `smollm2-135m`"):
        resolve_model(ModelConfig(path=str(tmp_path / "nowhere")), tmp_path)


def test_unpermute_gives_each_head_its_two_halves_back() -> None:
    """One head of 6 rotary rows: GGUF keeps pairs (0, 3), (1, 4), (2, 5) together."""
    natural = torch.arange(12.0).reshape(12, 1)  # two heads of six rows
    stored = torch.tensor([0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11.0]).reshape(12, 1)
    assert torch.equal(unpermute(stored, heads=2), natural)


def test_an_interrupted_unpacking_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(gguf: Path, folder: Path) -> None:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    monkeypatch.setattr("launch.gguf_folder.unpack_gguf", fail)
    with pytest.raises(KeyboardInterrupt):
        resolve_model(ModelConfig(path=PACKAGED), tmp_path)
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.slow
def test_the_packaged_model_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong names, a wrong row order or a wrong tokenizer would each turn the answer into noise."""
    folder = resolve_model(ModelConfig(path=PACKAGED), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}], tokenize=False, add_generation_prompt=True
    )
    assert prompt == "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.eos_token == "<|im_end|>"
    network = AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer(prompt, return_tensors="pt")
    reply = tokenizer.decode(network.generate(**ids, max_new_tokens=12, do_sample=False)[0, ids.input_ids.shape[1] :])
    assert reply == "The capital of France is Paris.<|im_end|>"
    weights = load_file(folder / "model.safetensors")
    assert sum(tensor.numel() for tensor in weights.values()) == 134_515_008

    monkeypatch.setattr(model, "_unpack_whole", lambda *_: pytest.fail("unpacked twice"))
    assert resolve_model(ModelConfig(path=PACKAGED), tmp_path) == folder
