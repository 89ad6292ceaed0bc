import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.network.retries import backoffs, retry_after

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def test_waits_double_up_to_a_minute_and_lose_up_to_a_half() -> None:
    waits = backoffs(1.0, random.Random(5))
    for whole in (1, 2, 4, 8, 16, 32, 60, 60, 60):
        assert whole / 2 <= next(waits) <= whole
    first, second = ([next(backoffs(8.0, random.Random(seed))) for seed in range(20)] for _ in range(2))
    assert first == second and len(set(first)) == 20


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0.0),
        ("7", 7.0),
        ("0.5", 0.5),
        ("3600", 60.0),
        ("9" * 5000, 60.0),
        ("-3", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("soon", 0.0),
        ("Sun, 01 Mar 2026 12:00:09 GMT", 9.0),
        ("Sun, 01 Mar 2026 13:00:09 +0100", 9.0),
        ("Sun, 01 Mar 2026 12:00:09 -0000", 9.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2126 12:00:00 GMT", 60.0),
        ("Sun, 01 Mar 2026 12:00:09 +99999999999999999", 0.0),
    ],
)
def test_what_a_server_asks_to_wait(header: str | None, seconds: float) -> None:
    assert retry_after(header, NOW) == seconds


NUMBERS = st.integers(-99_999, 10**20)


@given(st.one_of(st.text(), st.builds("Sun, {} Mar {} {}:00:{} {:+}".format, *[NUMBERS] * 5)))
def test_no_header_is_waited_for_longer_than_a_minute(header: str) -> None:
    assert 0.0 <= retry_after(header, NOW) <= 60.0
