"""One vector for a document."""

from collections.abc import Sequence

import numpy as np

from envs.corpus import Document
from envs.retrieval.embedding import Encoder, Floats

#: Tokens that are embedded, of a document's name, and of its name and text.
_NAME_TOKENS = 48
_TEXT_TOKENS = 24


def document_vectors(documents: Sequence[Document], encoder: Encoder, *, progress: bool = False) -> Floats:
    """Unit vectors [documents, dimensions]: the mean of two, of the name and of the opening of the text.

    The name's own vector keeps a document near its name however much text it has; the text's tells what it is about.
    `progress` shows bars on stderr.
    """
    named = [each.title.removesuffix(f" ({each.id})") for each in documents]
    names = encoder.encode(named, _NAME_TOKENS, progress="embedding names" if progress else None)
    opened = [" ".join((f"{name}.", *each.sections)) for name, each in zip(named, documents, strict=True)]
    texts = encoder.encode(opened, _TEXT_TOKENS, progress="embedding texts" if progress else None)
    mean = names + texts
    unit: Floats = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return unit
