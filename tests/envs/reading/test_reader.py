"""The process that parses: what ends it, and what that means."""

import asyncio
import gc
import os
import time
import weakref
from pathlib import Path

import psutil
import pytest

from envs.network.fetching import Fetched, Unreadable
from envs.reading import reader
from envs.reading.pages import Pages
from envs.reading.reader import read
from medrl.errors import ToolOutage
from medrl.sections.pages import PagesConfig
from tests.envs.hostile_documents import HTML, PDFS
from tests.misbehaving import MisbehavingServer, raw
from tests.web import QUICK, REFERENCE, SmallWeb


def page(body: bytes, content_type: str = "text/html") -> Fetched:
    return Fetched(body, content_type, "", "https://example.org/x")


def test_a_page_becomes_a_document() -> None:
    document = asyncio.run(read(page(b"<title>T</title><h2>Gene</h2><p>FBN1."), PagesConfig()))
    assert (document.id, document.url, document.source) == ("https://example.org/x", "https://example.org/x", "web")
    assert (document.title, document.sections) == ("T", ("Gene: FBN1.",))


def test_a_deadline_kills_the_process() -> None:
    config = PagesConfig(parse_s=0.05)
    begun = time.monotonic()
    with pytest.raises(Unreadable, match=r"within 0.05 s"):
        asyncio.run(read(page(HTML["a million paragraphs"]), config))
    assert time.monotonic() - begun < 30
    assert not [each for each in psutil.Process().children() if "envs.reading.worker" in " ".join(each.cmdline())]


def test_too_little_memory_for_a_document_is_the_documents_doing() -> None:
    with pytest.raises(Unreadable, match="cannot be parsed"):
        asyncio.run(read(page(PDFS["a zip bomb of zeros"], "application/pdf"), PagesConfig(parse_bytes=150_000_000)))


def test_too_little_memory_to_start_is_an_outage() -> None:
    with pytest.raises(ToolOutage, match="parse_bytes"):
        asyncio.run(read(page(b"<p>x"), PagesConfig(parse_bytes=1_000)))


def test_a_process_that_does_not_start_is_an_outage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for program in (tmp_path / "none", Path("/bin/false")):
        monkeypatch.setattr(reader.sys, "executable", str(program))
        with pytest.raises(ToolOutage, match="document_read"):
            asyncio.run(read(page(b"<p>x"), PagesConfig()))


def test_no_key_of_ours_is_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    seen: list[dict[str, str]] = []
    real = asyncio.create_subprocess_exec

    async def spy(*program: str, **settings: dict[str, str]) -> asyncio.subprocess.Process:
        seen.append(settings["env"])
        return await real(*program, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spy)
    asyncio.run(read(page(b"<p>x"), PagesConfig()))
    assert set(seen[0]) == {"PYTHONPATH", "OPENBLAS_NUM_THREADS"} and "secret" not in str(seen) and os.environ


def test_many_pages_from_several_loops() -> None:
    with MisbehavingServer([raw(b"<p>FBN1", headers={"Content-Type": "text/html"})]) as server:
        pages = Pages(QUICK, reach=SmallWeb(server.port).reach, reference=REFERENCE)

        async def several() -> list[tuple[str, ...]]:
            found = await asyncio.gather(*(pages.document(f"http://www.example.org/{n}") for n in range(9)))
            return [document.sections for document in found]

        assert asyncio.run(several()) == asyncio.run(several()) == [("FBN1",)] * 9


def test_no_loop_is_kept_after_its_end() -> None:
    """A semaphore that was waited for knows its loop: one for each would keep all of them."""
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []
    with MisbehavingServer([raw(b"<p>FBN1", headers={"Content-Type": "text/html"})]) as server:
        pages = Pages(QUICK, reach=SmallWeb(server.port).reach, reference=REFERENCE)

        async def several() -> None:
            loops.append(weakref.ref(asyncio.get_running_loop()))
            await asyncio.gather(*(pages.document(f"http://www.example.org/{n}") for n in range(6)))

        for _ in range(3):
            asyncio.run(several())
    gc.collect()
    assert [loop() is None for loop in loops] == [True, True, False]
