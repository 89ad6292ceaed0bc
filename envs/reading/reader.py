"""A fetched page to a Document, parsed in a process of its own.

Parsers of HTML, XML and PDF are large and written in C: a hostile file may make one run for ever, take all memory or
crash. That ends a process with nothing in it, not a rollout worker.
"""

import asyncio
import json
import os
import sys
from typing import Any

from envs.corpus import Document
from envs.network.fetching import Fetched, Unreadable
from envs.reading.worker import READY, limits
from medrl.deadlines import within
from medrl.errors import ToolOutage
from medrl.sections.pages import PagesConfig

_START_S = 60.0
"""Until the process is ready: seconds on a machine that is busy. Its imports are ours, nothing of the page's."""


async def read(page: Fetched, config: PagesConfig) -> Document:
    """The document with the page's address as id. Raises Unreadable, and ToolOutage if no process starts."""
    bounds = limits(
        config.parse_s, config.parse_bytes, config.most_sheets, config.most_sections, config.section_letters
    )
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "envs.reading.worker", *bounds),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"},
        )
    except OSError as error:
        raise ToolOutage(f"document_read: no process to read pages in: {error}") from error
    try:
        answer = await _ask(process, page, config.parse_s)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    if "unreadable" in answer:
        raise Unreadable(answer["unreadable"])
    if not answer["sections"]:
        raise Unreadable("it holds no text")
    return Document(page.url, answer["title"] or "untitled", tuple(answer["sections"]), "web", "", url=page.url)


async def _ask(process: asyncio.subprocess.Process, page: Fetched, seconds: float) -> Any:
    assert process.stdin is not None and process.stdout is not None
    try:
        ready = await within(_START_S, process.stdout.readline())
    except TimeoutError:
        ready = b""
    if ready != READY:
        raise ToolOutage("document_read: the process to read pages in does not start; is pages.parse_bytes too low?")
    request = json.dumps([page.content_type, page.charset]).encode() + b"\n" + page.body
    try:
        said, _ = await within(seconds, process.communicate(request))
        return json.loads(said)
    except TimeoutError:
        raise Unreadable(f"its text is not to be had within {seconds:g} s") from None
    except ValueError:  # it died: nothing, or half an answer
        raise Unreadable("it cannot be parsed") from None
