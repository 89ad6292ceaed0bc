"""A machine without engines: what a test says starts in their place."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from launch.benchmarks import engines


def in_place_of_engines(monkeypatch: pytest.MonkeyPatch, start_players: Callable[..., Any]) -> None:
    """No cluster is asked, and no folder need be shared by its nodes."""
    monkeypatch.setattr(engines, "start_players", start_players)
    monkeypatch.setattr(engines.placement, "session", lambda config: nullcontext())
    monkeypatch.setattr(engines, "require_shared", lambda *folders: None)
