"""The shape of a source of documents: the retriever ranks what all of them find, by one score."""

from dataclasses import dataclass
from typing import Protocol

from envs.corpus import Document
from envs.network.client import Refused
from envs.retrieval.embedding import Floats
from medrl.errors import ConfigError, ToolOutage


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that may answer a query. `vector`: its unit embedding [dimensions], None if it has to be made."""

    document: Document
    vector: Floats | None = None


class Source(Protocol):
    """A registry, a literature service, a corpus on disk.

    Both methods raise ToolOutage when it cannot be reached, and ConfigError when no request would ever be answered.
    """

    name: str

    async def candidates(self, query: str, vector: Floats, k: int) -> list[Candidate]:
        """Up to `k` documents for a query and its unit embedding [dimensions], best first; empty if nothing fits."""
        ...

    async def document(self, id: str) -> Document | None:
        """The document with this id; None if the id is not one of its own, or is unknown."""
        ...


def unanswerable(error: Refused, setting: str) -> ConfigError | ToolOutage:
    """What it means that a service refuses a request which it should take: a 404 that it answers at another address
    than the setting `setting` says; anything else that this one question cannot be put to it."""
    if error.status == 404:
        return ConfigError(f"{error}: nothing answers there; mend {setting}")
    return ToolOutage(str(error))
