"""PubTator's format: an article's title and abstract with the mentions in them, at character offsets.

26094|t|Antihypertensive drugs and depression: a reappraisal.
26094|a|Eighty-nine new referral hypertensive out-patients ...
26094   27   37   depression   Disease   D003866
26094   CID   D008750   D003866
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kisa.sources.skipped import Skipped
from kisa.sources.text_lines import text_lines


@dataclass(frozen=True, slots=True)
class Mention:
    """`text` at [start, end) of the article's text. `identifier`: the catalogue's, or "" where none was given."""

    start: int
    end: int
    text: str
    kind: str
    identifier: str = ""


@dataclass(slots=True)
class Article:
    """`relations`: (predicate, subject id, object id)."""

    pmid: str
    title: str = ""
    abstract: str = ""
    mentions: list[Mention] = field(default_factory=list)
    relations: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Title and abstract, one blank between, which the offsets count."""
        return f"{self.title} {self.abstract}"


def read_pubtator(path: Path, skipped: Skipped) -> Iterator[Article]:
    """Yield the file's articles. A malformed line, or a mention that its offsets do not show, goes to `skipped`.

    Raises DataError if the file cannot be read.
    """
    article: Article | None = None
    for number, line in text_lines(path):
        where = f"line {number}"
        if not line:
            continue
        pmid, bar, rest = line.partition("|")
        if bar and pmid.isdigit() and rest[:2] in ("t|", "a|"):
            if article is None or article.pmid != pmid:
                if article is not None:
                    yield article
                article = Article(pmid)
            if rest[0] == "t":
                article.title = rest[2:]
            else:
                article.abstract = rest[2:]
            continue
        cells = line.split("\t")
        if article is None or cells[0] != article.pmid:
            skipped.add("no title line before it", where)
        elif len(cells) == 4 and cells[1] and not cells[1].isdigit():
            article.relations.append((cells[1], cells[2], cells[3]))
        elif len(cells) < 5 or not (cells[1].isdigit() and cells[2].isdigit()):
            skipped.add("neither a mention nor a relation", where)
        elif article.text[int(cells[1]) : int(cells[2])] != cells[3]:
            skipped.add("offsets that do not show the mention", where)
        else:
            identifier = cells[5] if len(cells) > 5 and cells[5] != "-1" else ""
            article.mentions.append(Mention(int(cells[1]), int(cells[2]), cells[3], cells[4], identifier))
    if article is not None:
        yield article
