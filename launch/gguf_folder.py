"""A GGUF file of the Llama family, unpacked to a Hugging Face folder.

Written here, on the package `gguf`, as the route through transformers needs accelerate and ten times as long.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader, ReaderTensor, dequantize
from safetensors.torch import save_file
from transformers import AutoTokenizer

from medrl.errors import DataError
from medrl.progress import tracked

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""ChatML with nothing added: no default system prompt, so that what is trained is what the messages say."""

_OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_INNER = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def unpack_gguf(gguf: Path, folder: Path) -> None:
    """Write config, bfloat16 safetensors and tokenizer of `gguf` into `folder`, which must exist.

    Raises DataError if the file is not a Llama model, or holds a tensor that Llama does not have.
    """
    reader = GGUFReader(str(gguf))
    config = llama_config(reader)
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    generation = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2), encoding="utf-8")
    weights = dict(_weights(reader, config["num_attention_heads"], config["num_key_value_heads"]))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    tokenizer.chat_template = CHATML
    tokenizer.model_max_length = config["max_position_embeddings"]
    tokenizer.save_pretrained(folder)


def llama_config(reader: GGUFReader) -> dict[str, Any]:
    """The `config.json` of transformers' LlamaForCausalLM, from the file's own header."""

    def field(key: str) -> Any:
        found = reader.get_field(key)
        if found is None:
            raise DataError(f"the GGUF file has no field {key}; only Llama models can be unpacked")
        return found.contents()

    if field("general.architecture") != "llama":
        raise DataError(f"the GGUF file holds a {field('general.architecture')} model; only llama can be unpacked")
    heads = field("llama.attention.head_count")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "vocab_size": field("llama.vocab_size"),
        "hidden_size": field("llama.embedding_length"),
        "intermediate_size": field("llama.feed_forward_length"),
        "num_hidden_layers": field("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": field("llama.attention.head_count_kv"),
        "head_dim": field("llama.embedding_length") // heads,
        "hidden_act": "silu",
        "max_position_embeddings": field("llama.context_length"),
        "rms_norm_eps": field("llama.attention.layer_norm_rms_epsilon"),
        "rope_theta": field("llama.rope.freq_base"),
        "rope_parameters": {"rope_type": "default", "rope_theta": field("llama.rope.freq_base")},
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": not any(tensor.name == "output.weight" for tensor in reader.tensors),
        "initializer_range": 0.02,
        "bos_token_id": field("tokenizer.ggml.bos_token_id"),
        "eos_token_id": field("tokenizer.ggml.eos_token_id"),
        "pad_token_id": field("tokenizer.ggml.padding_token_id"),
    }


def _weights(reader: GGUFReader, heads: int, kv_heads: int) -> Iterator[tuple[str, torch.Tensor]]:
    for tensor in tracked(reader.tensors, "unpack model", len(reader.tensors), "tensor", brief=False):
        values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()
        if ".attn_q." in tensor.name:
            values = unpermute(values, heads)
        elif ".attn_k." in tensor.name:
            values = unpermute(values, kv_heads)
        yield _hugging_face_name(tensor), values.to(torch.bfloat16).contiguous()


def _hugging_face_name(tensor: ReaderTensor) -> str:
    stem, _, suffix = tensor.name.rpartition(".")
    if stem in _OUTER and suffix == "weight":
        return f"{_OUTER[stem]}.weight"
    block, _, inner = stem.removeprefix("blk.").partition(".")
    if stem.startswith("blk.") and inner in _INNER and suffix == "weight":
        return f"model.layers.{block}.{_INNER[inner]}.weight"
    raise DataError(f"the GGUF file holds {tensor.name}, which a Llama model does not have")


def unpermute(values: torch.Tensor, heads: int) -> torch.Tensor:
    """Undo GGUF's row order: it interleaves the two halves of each head's rotary dimensions. [heads * dim, hidden]."""
    rows, columns = values.shape
    half = rows // heads // 2
    return values.view(heads, half, 2, columns).transpose(1, 2).reshape(rows, columns)
