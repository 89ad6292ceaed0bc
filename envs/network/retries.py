"""When to ask an endpoint again after a failure that may pass."""

import email.utils
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from medrl.sections.endpoint import LONGEST_WAIT_S


def backoffs(first_s: float, rng: random.Random) -> Iterator[float]:
    """Waits in seconds, without end: `first_s`, doubled each time up to LONGEST_WAIT_S, each cut by up to a half so
    that requests which failed together do not come back together."""
    wait_s = first_s
    while True:
        wait_s = min(wait_s, LONGEST_WAIT_S)
        yield wait_s * rng.uniform(0.5, 1.0)
        wait_s *= 2


def retry_after(header: str | None, now: datetime) -> float:
    """Seconds that a Retry-After header asks to wait, a number or a date (RFC 9110 section 10.2.3), from 0 to
    LONGEST_WAIT_S; 0 where there is none or it cannot be read."""
    if header is None:
        return 0.0
    if re.fullmatch(r"\d+(\.\d+)?", header.strip(), re.ASCII):
        return min(float(header), LONGEST_WAIT_S)
    try:
        date = email.utils.parsedate_to_datetime(header)
        left_s = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return 0.0
    return min(max(left_s.total_seconds(), 0.0), LONGEST_WAIT_S)
