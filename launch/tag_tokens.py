"""The agent's tags as one token each.

"<tool_call>" is five tokens to a vocabulary that does not know it, and an agent writes four such tags in every turn: a
fifth of what it samples. Models made for tools have tokens of their own for them. Others come with control tokens that
no conversation uses (SmolLM2: "<jupyter_code>"), and these take the tags' names here.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from transformers import AutoTokenizer

from medrl.errors import DataError
from medrl.records import write_text

_EMBEDDINGS = ("model.embed_tokens.weight", "lm_head.weight")


def add_tag_tokens(folder: Path, tags: Sequence[str]) -> None:
    """Rename idle control tokens of the model in `folder` to `tags`.

    Each begins as `spread_rows` of the tokens it was spelled with, in the embeddings and in an untied head. Sizes stay
    as they are, so nothing else changes. Raises DataError if there are too few idle tokens.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    spelled = [tokenizer.encode(tag, add_special_tokens=False) for tag in tags]
    path = folder / "tokenizer.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    ids = _rename(written, tags, set(tokenizer.all_special_tokens), str(tokenizer.chat_template))
    write_text(path, json.dumps(written, ensure_ascii=False))

    weights = load_file(folder / "model.safetensors")
    for name in _EMBEDDINGS:
        if name in weights:
            weights[name][ids] = spread_rows(weights[name], spelled)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def spread_rows(table: Float[Tensor, "V H"], spelled: Sequence[Sequence[int]]) -> Float[Tensor, "K H"]:
    """Rows for K new tokens, each spelled so far with several of `table`.

    The means of their pieces, moved apart: what sets each mean off from the average of all K is made as long as a
    vocabulary's row usually is. The plain means of "<think>" and "</think>" differ by a third of "<" less "</", too
    little to be told apart after some dozen updates.
    """
    rows = table.float()
    means = torch.stack([rows[list(pieces)].mean(dim=0) for pieces in spelled])
    apart = functional.normalize(means - means.mean(dim=0), dim=1)
    return (means.mean(dim=0) + apart * rows.norm(dim=1).median()).to(table.dtype)


def _rename(written: dict[str, Any], tags: Sequence[str], in_use: set[str], template: str) -> list[int]:
    """Give `tags` the places of idle control tokens in a tokenizer.json; returns their ids."""
    idle = [
        token
        for token in written["added_tokens"]
        if token["special"] and token["content"] not in in_use and token["content"] not in template
    ]
    if len(idle) < len(tags):
        raise DataError(f"the vocabulary has {len(idle)} idle control tokens, {len(tags)} are needed for {tags}")
    vocabulary = written["model"]["vocab"]
    for token, tag in zip(idle, tags, strict=False):
        if token["content"] in vocabulary:
            vocabulary[tag] = vocabulary.pop(token["content"])
        token |= {"content": tag, "special": False}  # a tag is text: decoding must not skip it
    return [token["id"] for token in idle[: len(tags)]]
