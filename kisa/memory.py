"""A tool that remembers. Synthesis asks the same thing often: discovery, then the teacher."""

import json
from collections.abc import Mapping
from typing import Any

from envs.tools.base import Tool, ToolResult


class Remembering:
    """A tool with the answers it gave before; the tools of this project answer the same call the same way."""

    def __init__(self, tool: Tool) -> None:
        self.name = tool.name
        self.description = tool.description
        self.parameters = tool.parameters
        self._tool = tool
        self._known: dict[str, ToolResult] = {}

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Raises ToolOutage, which is not remembered."""
        key = json.dumps(dict(arguments), sort_keys=True)
        if key not in self._known:
            self._known[key] = await self._tool.call(arguments)
        return self._known[key]
