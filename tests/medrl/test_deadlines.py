import asyncio

import pytest

from medrl.deadlines import within


def test_a_result_in_time_is_handed_on() -> None:
    assert asyncio.run(within(5.0, asyncio.sleep(0.001, result=7))) == 7


def test_what_takes_longer_is_cancelled() -> None:
    async def run() -> bool:
        slow = asyncio.ensure_future(asyncio.sleep(60))
        with pytest.raises(TimeoutError):
            await within(0.01, slow)
        return slow.cancelled()

    assert asyncio.run(run())


def test_a_cancellation_that_comes_together_with_the_result_is_heard() -> None:
    async def run() -> bool:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(within(5.0, answer))
        await asyncio.sleep(0)
        answer.set_result(1)
        waiting.cancel()
        await asyncio.wait([waiting])
        return waiting.cancelled()

    assert asyncio.run(run())
