"""What a result of web search becomes."""

import re
from collections.abc import Iterable

from envs.corpus import Document
from envs.network.attempts import key_in
from envs.reading.pieces import Pieces, clean, title_of
from envs.sentences import sentences
from envs.sources.dates import iso_date
from medrl.errors import ConfigError

#: One that is longer would leave no room for anything else in a tool's text.
_ADDRESS = re.compile(r"https?://[^\s]{1,300}")


def to_document(title: str, url: str, snippet: str, date: str) -> Document | None:
    """The id is the address, so that it can be read. None for a result without an address of the web, or one that
    hides something. What the web says is bounded and on one line, without characters that nobody sees, as pages are."""
    if not _ADDRESS.fullmatch(url) or not url.isprintable():
        return None
    return Document(
        id=url,
        title=title_of(Pieces(title, ())) or url,
        sections=tuple(sentences(clean(snippet))) or ("No preview is given.",),
        source="web",
        evidence="",
        date=iso_date(date),
        url=url,
    )


def needed_key(variable: str, provider: str) -> str:
    """The key in the environment. Raises ConfigError if there is none."""
    key = key_in(variable)
    if key is None:
        raise ConfigError(f"knowledge.web.provider={provider}: put its key into the environment as {variable}")
    return key


def first_of_each(documents: Iterable[Document | None], k: int) -> list[Document]:
    """The first `k` that are there, each address once."""
    first: dict[str, Document] = {}
    for each in documents:
        if each is not None:
            first.setdefault(each.id, each)
    return list(first.values())[:k]
