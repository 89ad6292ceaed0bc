"""A tool whose answers are kept: each call is made once, or, in a replay, never.

    answered from the store     what was recorded, `cached`
    under way already           the answer of the call that is, `cached`: of identical calls at once one is made
    new                         the tool's own answer, then kept; an outage is not
    new, in a replay            NotRecorded

Two calls are identical if they have the same tool, version and arguments; the order of an object's keys and blanks
between them do not count. Blanks within a string do: a tool may tell them apart, and some repeat what they were asked.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from envs.store import AnswerFile, Call, Store
from envs.tools.base import Tool, ToolResult
from medrl.errors import NotRecorded
from medrl.sections.recording import RecordingConfig

_QUOTED = 200


def canonical(arguments: Mapping[str, Any]) -> str:
    """The arguments as JSON of ASCII letters, keys in order, no blanks between them."""
    return json.dumps(dict(arguments), sort_keys=True, separators=(",", ":"))


class Recorded:
    """A tool that answers what it was asked before as it did then. May be used from several event loops, one after the
    other."""

    def __init__(self, tool: Tool, store: Store, version: str = "", *, replay_from: Path | None = None) -> None:
        """`version`: of what the answers depend on. `replay_from`: the recording, if no call is to be made; for the
        message."""
        self.name = tool.name
        self.description = tool.description
        self.parameters = tool.parameters
        self._tool = tool
        self._store = store
        self._version = version
        self._replay_from = replay_from
        self._under_way: dict[Call, asyncio.Task[ToolResult]] = {}

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Raises NotRecorded, ToolOutage, DataError, and what the tool raises."""
        call = Call(self.name, self._version, canonical(arguments))
        known = self._store.get(call)
        if known is not None:
            return replace(known, cached=True)
        if self._replay_from is not None:
            raise NotRecorded(
                f"{self.name}: no answer to {call.arguments[:_QUOTED]} of version {self._version} is recorded in "
                f"{self._replay_from}; play it once with knowledge.recording.mode=cache"
            )
        task = self._under_way.get(call)
        if task is not None:
            return replace(await asyncio.shield(task), cached=True)
        task = asyncio.create_task(self._make(call, arguments))
        self._under_way[call] = task
        task.add_done_callback(partial(self._made, call))
        return await asyncio.shield(task)  # who else waits for it is not cancelled with this caller

    async def _make(self, call: Call, arguments: Mapping[str, Any]) -> ToolResult:
        result = await self._tool.call(arguments)
        return replace(self._store.keep(call, result), cached=result.cached)

    def _made(self, call: Call, task: asyncio.Task[ToolResult]) -> None:
        del self._under_way[call]
        if not task.cancelled():
            task.exception()  # looked at, lest asyncio complain where all who waited were cancelled


def recorded(tools: Mapping[str, Tool], config: RecordingConfig, version: Callable[[], str]) -> dict[str, Tool]:
    """The tools, with their answers kept as `config` says. `version`: of what the answers depend on; it reads files and
    source, so it is asked for only where answers are kept. Raises DataError."""
    if config.mode == "off":
        return dict(tools)
    store, known_as = open_answers(config), version()
    replay_from = Path(config.path).expanduser() if config.mode == "replay" else None
    return {name: Recorded(tool, store, known_as, replay_from=replay_from) for name, tool in tools.items()}


def open_answers(config: RecordingConfig) -> AnswerFile:
    """The file that `config` names; in a replay it must be there. Raises DataError."""
    writable = config.mode == "cache"
    return AnswerFile(Path(config.path).expanduser(), most_bytes=config.most_mb * 1_000_000, writable=writable)
