from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.sources.dates import MONTHS, iso_date, month_number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2032-01", "2032-01"),
        ("2032", "2032"),
        ("2024-05-06T07:08:09", "2024-05-06"),
        ("Sept 3, 2020", "2020-09-03"),
        ("Sun, 04 Jan 2032 10:00:00 GMT", "2032-01-04"),
        ("2 days ago", ""),
        ("Approved Prior to Jan 1, 1982", ""),
        ("20241399", "2024"),
        ("2024-13-01", "2024"),
        ("Foo 3, 2020", "2020"),
        ("Jan 45, 2020", "2020-01"),
        ("", ""),
        ("20321", ""),
    ],
)
def test_as_far_as_it_is_known(text: str, expected: str) -> None:
    assert iso_date(text) == expected


@given(st.dates(date(1800, 1, 1), date(2200, 1, 1)))
def test_every_way_of_writing_a_day(day: date) -> None:
    month = MONTHS[day.month - 1].capitalize()
    for text in (
        day.isoformat(),
        day.strftime("%Y%m%d"),
        f"{month} {day.day}, {day.year}",
        f"{day.day} {month} {day.year}",
        f"Mon, {day.day:02d} {month} {day.year} 00:00:00 GMT",
    ):
        assert iso_date(text) == day.isoformat(), text


@pytest.mark.parametrize(
    ("month", "expected"), [("Jan", "01"), ("december", "12"), ("7", "07"), ("13", ""), ("0", ""), ("Spring", "")]
)
def test_months(month: str, expected: str) -> None:
    assert month_number(month) == expected
