"""Shapes of public models, so that a run can be planned where their weights are not at hand."""

from pathlib import Path
from typing import Any

from launch.footprint import ModelShape, read_shape, shape_of
from launch.model import resolve_model
from medrl.config import Config

_QWEN = {"vocab_size": 152064, "max_position_embeddings": 32768, "tie_word_embeddings": False, "qkv_bias": True}
_SHAPES: dict[str, dict[str, Any]] = {
    "Qwen2.5-7B-Instruct": _QWEN
    | {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
    },
    "Qwen2.5-32B-Instruct": _QWEN
    | {
        "hidden_size": 5120,
        "intermediate_size": 27648,
        "num_hidden_layers": 64,
        "num_attention_heads": 40,
        "num_key_value_heads": 8,
    },
}
"""Facts of their config.json, by the name of the folder."""


def planned_shape(config: Config) -> tuple[Path, ModelShape]:
    """Folder and shape of the model to start from; by its name alone if it is a known one that is not there."""
    folder = Path(config.model.path).expanduser()
    if not folder.exists() and folder.name in _SHAPES:
        return folder, shape_of(_SHAPES[folder.name])
    model = resolve_model(config.model, Path(config.knowledge.cache))
    return model, read_shape(model)
