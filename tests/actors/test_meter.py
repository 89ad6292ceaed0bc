import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.meter import Meter, Reading


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), max_size=20))
def test_what_was_under_way_is_added_up_as_second_by_second(moves: list[tuple[int, int]]) -> None:
    """(seconds that pass, how many are then under way), against a count of every second."""
    clock = Clock()
    meter = Meter(clock)
    busy = load = held = 0
    for passed, then in moves:
        for _ in range(passed):
            busy += held > 0
            load += held
        clock.now += passed
        meter.add(then - held)
        held = then
    found = meter.reading()
    assert (found.age_s, found.busy_s, found.load_s) == pytest.approx((clock.now - 100.0, busy, load))
    assert found.under_way == meter.under_way == held


def test_reading_does_not_disturb() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.add(2)
    clock.now += 1.5
    assert meter.reading() == meter.reading() == Reading(1.5, 1.5, 3.0, 2)
