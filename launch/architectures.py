"""Shapes of public models, so that a run can be planned where their weights are not at hand."""

from pathlib import Path
from typing import Any

from launch.footprint import ModelShape, read_shape, shape_of
from launch.model import resolve_model
from medrl.config import Config

_QWEN = {"vocab_size": 152064, "max_position_embeddings": 32768, "tie_word_embeddings": False, "model_type": "qwen2"}
_SHAPES: dict[str, dict[str, Any]] = {
    "Qwen2.5-7B": _QWEN
    | {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
    },
    "Qwen2.5-32B": _QWEN
    | {
        "hidden_size": 5120,
        "intermediate_size": 27648,
        "num_hidden_layers": 64,
        "num_attention_heads": 40,
        "num_key_value_heads": 8,
    },
}
"""Facts of their config.json, by the name of the folder, with or without `-Instruct`."""


def planned_shape(config: Config) -> tuple[Path, ModelShape]:
    """Folder and shape of the model to start from. Without its weights at hand: by config.json, or by the name alone of
    a known one."""
    folder = Path(config.model.path).expanduser()
    name = folder.name.removesuffix("-Instruct")
    if not folder.exists() and name in _SHAPES:
        return folder, shape_of(_SHAPES[name])
    if (folder / "config.json").is_file() and not any(folder.glob("*.safetensors")):
        return folder, read_shape(folder)
    model = resolve_model(config.model, Path(config.knowledge.cache))
    return model, read_shape(model)
