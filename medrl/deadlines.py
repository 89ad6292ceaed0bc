"""Waiting with a deadline."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(seconds: float, awaited: Awaitable[T]) -> T:
    """What `awaited` comes to. Raises TimeoutError, and cancels it, when that takes longer than `seconds`.

    Used instead of `asyncio.wait_for`: before Python 3.12 that one swallows a cancellation which arrives together with
    the result, and then a loop that was cancelled goes on, and whoever waits for its end waits for ever.
    """
    async with asyncio.timeout(seconds):
        return await awaited
