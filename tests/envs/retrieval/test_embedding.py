"""The encoder: pooling against an oracle, order, cutting, refusals."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from envs.retrieval.embedding import PACKAGED, Encoder, Floats, encoder_path, weights_digest
from medrl.errors import ConfigError, DataError
from tests.oracles_retrieval import mean_pooled

TEXTS = ["Marfan syndrome", "a", "Ectopia lentis is a dislocated lens of the eye", "", "Pectus carinatum"]


def test_vectors_are_unit_length_whatever_the_text(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (5, 384) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_pooling_is_the_mean_over_real_tokens(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    states = torch.randn(2, 4, 384)

    class Output:
        last_hidden_state = states

    monkeypatch.setattr(encoder, "_model", lambda **_: Output())
    pooled = encoder._forward([[101, 7, 8, 102], [101, 102]])
    expected = [mean_pooled(states[0].tolist(), [1, 1, 1, 1]), mean_pooled(states[1].tolist(), [1, 1, 0, 0])]
    np.testing.assert_allclose(pooled, expected, atol=1e-6)


def test_a_batch_gives_each_text_its_own_vector(encoder: Encoder) -> None:
    """Sorting by length and padding change nothing but rounding (bfloat16 rounds to about 0.01)."""
    together = encoder.encode(TEXTS * 30)
    for row, text in enumerate(TEXTS):
        alone = encoder.encode([text])[0]
        for copy in range(row, len(TEXTS) * 30, len(TEXTS)):
            assert together[copy] @ alone > 0.999


def test_threads_change_nothing(encoder: Encoder) -> None:
    threads = torch.get_num_threads()
    texts = [f"{text} {number}" for number in range(60) for text in TEXTS]
    try:
        torch.set_num_threads(1)
        alone = encoder.encode(texts)
        torch.set_num_threads(2)
        np.testing.assert_array_equal(encoder.encode(texts), alone)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_text_beyond_the_limit_does_not_count(encoder: Encoder) -> None:
    long = "Marfan syndrome " * 40
    first, second = encoder.encode([long + "gene", long + "inheritance"], max_tokens=16)
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_meaning_orders_cosines(encoder: Encoder) -> None:
    query, near, far = encoder.encode(["pigeon chest", "protruding breastbone", "tax law"])
    assert query @ near > query @ far + 0.1


def test_no_texts_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_unknown_encoder_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"knowledge\.encoder='nope'"):
        encoder_path("nope")
    assert (encoder_path(PACKAGED) / "model.safetensors").is_file()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match="not a sentence encoder"):
        Encoder(encoder_path(str(tmp_path)))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_the_digest_is_of_all_that_an_encoder_is_read_from(name: str, tmp_path: Path) -> None:
    packaged = encoder_path(PACKAGED)
    for each in packaged.iterdir():
        if each.is_file() and each.suffix != ".safetensors":
            shutil.copyfile(each, tmp_path / each.name)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = weights_digest(str(tmp_path))
    assert weights_digest(str(tmp_path)) == before
    with (tmp_path / name).open("ab") as file:
        file.write(b" ")
    assert weights_digest(str(tmp_path)) != before


def test_threads_that_cut_otherwise_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the tokenizer cuts is a state that it has once, and it lets other threads run while it works."""
    encoder = Encoder(encoder_path(PACKAGED))

    def lengths(token_ids: list[list[int]]) -> Floats:
        return np.repeat(np.array([[len(ids)] for ids in token_ids], np.float32), encoder.dimensions, axis=1)

    monkeypatch.setattr(encoder, "_forward", lengths)
    texts = ["Ectopia lentis is a dislocated lens of the eye, seen in Marfan syndrome. " * 10] * 50
    limits = [4, 8, 16, 32, 64] * 20
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda limit: encoder.encode(texts, limit), limits))
    for limit, vectors in zip(limits, found, strict=True):
        assert (vectors == limit).all()
