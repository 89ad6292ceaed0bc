"""The documentation as data: its pages, their headings, links, fenced blocks and commands."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_REMARK = re.compile(r"\s(?:\s{2,}|then: |# ).*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `kind` is the first word behind the fence, `remark` the rest: "server", for one that serves until
    it is interrupted; `title` the file's name that title=… gives, or ""."""

    kind: str
    remark: str
    text: str
    line: int

    @property
    def title(self) -> str:
        return self.remark.removeprefix("title=") if self.remark.startswith("title=") else ""

    def write(self, folder: Path) -> None:
        """Put the file where the page says that it is."""
        path = folder / self.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text, encoding="utf-8")


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        kind, _, rest = found["info"].strip().partition(" ")
        yield Block(kind, rest.strip(), found["body"], text[: found.start()].count("\n") + 1)


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """What the page's links point to."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = _HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of each `medrl …` that the page writes out whole: a line of a block, or more than a name in
    backquotes. What stands behind it, after blanks or a #, is a remark."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    indented = re.findall(r"^ {4}(medrl [a-z].*)$", text, re.MULTILINE)
    fenced = re.findall(r"^(medrl [a-z].*)$", "".join(found["body"] for found in _FENCE.finditer(text)), re.MULTILINE)
    quoted = [each.replace("\n", " ") for each in re.findall(r"(?<!`)`(medrl [a-z][^`]* [^`]*)`", text)]
    for each in [*indented, *fenced, *quoted]:
        bare = _REMARK.sub("", each).rstrip(" &")
        yield shlex.split(re.split(r" [|>] ?", bare)[0])[1:]
