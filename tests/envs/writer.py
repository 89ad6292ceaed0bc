"""What a process of its own writes to a file of answers."""

import os
import signal
from pathlib import Path

from envs.store import AnswerFile, Call
from envs.tools.base import ToolResult


def call(number: int) -> Call:
    return Call("look_up", "v1", f'{{"query":"{number}"}}')


def answer(number: int) -> ToolResult:
    return ToolResult(f"answer {number} " * 20, (f"doc-{number}",))


def write(path: Path, first: int, count: int) -> None:
    """`count` answers from number `first` on."""
    store = AnswerFile(path, most_bytes=10**9)
    for number in range(first, first + count):
        assert store.keep(call(number), answer(number)).text == answer(number).text


def write_and_die(path: Path, count: int) -> None:
    """`count` answers, and one more that it is killed under."""
    store = AnswerFile(path, most_bytes=10**9)
    for number in range(count):
        store.keep(call(number), answer(number))
    store._db.execute("BEGIN IMMEDIATE")
    store._db.execute("INSERT INTO answers (tool, version, arguments, result) VALUES ('half', '', '', '')")
    os.kill(os.getpid(), signal.SIGKILL)
