"""Tags become one token each, told apart from the start; nothing else of the model changes."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AddedToken, AutoTokenizer

from launch.tag_tokens import add_tag_tokens, spread_rows
from medrl.chat import TAGS, ChatCodec, parse_action, render_call
from medrl.errors import DataError
from medrl.types import ToolCall
from tests.tiny import tiny_model, tiny_tokenizer

IDLE = [f"<idle_{number}>" for number in range(9)]


def save(folder: Path, idle: list[str], *, tied: bool = True) -> Path:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens([AddedToken(each, special=True, normalized=False) for each in idle])
    model = tiny_model(len(tokenizer))
    if not tied:
        model.config.tie_word_embeddings = False
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_tags_are_one_token_and_turns_read_back(tmp_path: Path) -> None:
    folder = save(tmp_path, IDLE)
    plain = AutoTokenizer.from_pretrained(folder)
    add_tag_tokens(folder, TAGS)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) == len(plain)
    assert [tokenizer.encode(tag) for tag in TAGS] == [[plain.convert_tokens_to_ids(each)] for each in IDLE[:8]]
    call = ToolCall("medical_retriever", {"query": "FBN1"})
    codec = ChatCodec(tokenizer)
    ids = codec.encode_action(render_call("Need: gene.", call))
    assert parse_action(codec.decode_action(ids)).call == call
    assert tokenizer.decode(ids, skip_special_tokens=True) == render_call("Need: gene.", call)  # a tag is text
    assert len(ids) == len(plain.encode(render_call("Need: gene.", call))) - sum(len(t) - 1 for t in TAGS[:4]) + 1
    assert tokenizer.encode("<idle_8>") == plain.encode("<idle_8>")  # one more than is needed stays what it was


def test_text_from_outside_cannot_write_a_tag(tmp_path: Path) -> None:
    add_tag_tokens(save(tmp_path, IDLE), TAGS)
    codec = ChatCodec(AutoTokenizer.from_pretrained(tmp_path))
    marks = {codec.tokenizer.convert_tokens_to_ids(tag) for tag in TAGS}
    quiet = codec.response("plain", 100)[0]
    loud = codec.response("".join(TAGS), 500)[0]
    assert [token for token in loud if token in marks] == [token for token in quiet if token in marks]


@pytest.mark.parametrize("tied", [True, False])
def test_only_the_tags_rows_change(tmp_path: Path, tied: bool) -> None:
    folder = save(tmp_path, IDLE, tied=tied)
    before = load_file(folder / "model.safetensors")
    ids = [AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(each) for each in IDLE[: len(TAGS)]]
    add_tag_tokens(folder, TAGS)
    after = load_file(folder / "model.safetensors")
    assert set(after) == set(before) and ("lm_head.weight" in after) is not tied
    for name, tensor in before.items():
        changed = (tensor != after[name]).reshape(len(tensor), -1).any(dim=1)
        tables = ("model.embed_tokens.weight", "lm_head.weight")
        assert changed.nonzero().flatten().tolist() == (ids if name in tables else [])


def test_rows_are_the_mean_moved_apart_to_a_usual_length() -> None:
    """By hand: pieces' means (1, 0), (0, 1); centre (½, ½); apart ±(½, −½); median row length 2."""
    table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, 2.0], [0.0, 9.0]])
    step = 2 * math.sqrt(0.5)
    expected = torch.tensor([[0.5 + step, 0.5 - step], [0.5 - step, 0.5 + step]])
    assert torch.allclose(spread_rows(table, [[0], [1]]), expected)
    mean = spread_rows(table, [[0, 2], [1, 3]])  # means (1.5, 0), (0, 1.5)
    assert torch.allclose(mean, torch.tensor([[0.75 + step, 0.75 - step], [0.75 - step, 0.75 + step]]))


def test_too_few_idle_tokens_are_refused_and_change_nothing(tmp_path: Path) -> None:
    folder = save(tmp_path, IDLE[:3])
    before = (folder / "tokenizer.json").read_text()
    with pytest.raises(DataError, match="3 idle control tokens, 8 are needed"):
        add_tag_tokens(folder, TAGS)
    assert (folder / "tokenizer.json").read_text() == before
