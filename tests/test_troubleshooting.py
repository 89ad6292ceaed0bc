"""docs/troubleshooting.md quotes messages: each is still one that the source can print."""

import ast
import errno
import os
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.pages import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
_GAP = "…"
_LEAST = 7
"""Letters of a quoted message that are fixed: fewer would be found by chance."""


def quoted() -> Iterator[str]:
    """The first cells of the page's tables, without their backquotes."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        found = re.match(r"\| `(.+?)` \|", line)
        if found:
            yield found[1].replace("\\|", "|")


@cache
def messages() -> list[str]:
    """All texts of the source, with a gap for each value that is put in."""
    texts = []
    for package in ("medrl", "envs", "kisa", "actors", "launch"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                texts += _text(node)
    return texts


def _text(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(map(_part, node.values))]
    return []


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Attribute) and part.value.attr == "strerror":
        return os.strerror(errno.ENOENT)  # what the system says of a file that is not there
    return _GAP


def is_printed(message: str) -> bool:
    """Whether some text of the source has the message's fixed parts, in their order."""
    parts = [part.strip() for part in message.split(_GAP) if part.strip(" ;,.()")]
    pattern = re.compile(".*".join(map(re.escape, parts)), re.DOTALL)
    return any(map(pattern.search, messages()))


@pytest.mark.parametrize("message", list(quoted()))
def test_the_source_still_says_it(message: str) -> None:
    assert len(re.sub(r"[\W_]", "", message)) >= _LEAST, "too short to tell"
    assert is_printed(message), f"no text of the source is like {message!r}"


def test_a_message_that_nobody_prints_is_noticed() -> None:
    assert len(list(quoted())) > 50 and len(set(quoted())) == len(list(quoted()))
    assert not is_printed("no recipe …: write one of …")
    assert not is_printed("the cluster has …, need …")
    assert is_printed("no recipe …: give one of …, the path of a YAML file, or a run's folder")
