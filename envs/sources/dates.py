"""Dates as services write them, to as much of YYYY-MM-DD as they say."""

import re

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_ISO = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?![\d-])")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)$")
_MONTH_FIRST = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2}), (\d{4})\b")
_DAY_FIRST = re.compile(r"(?:[A-Za-z]{3}, )?(\d{1,2}) ([A-Za-z]{3,9}) (\d{4})\b")


def iso_date(text: str) -> str:
    """ "Jan 4, 2032", "4 Jan 2032", "Sun, 04 Jan 2032 …", "20320104", "2032-01-04T…" -> "2032-01-04"; "2032-01" and
    "2032" stay; "" for anything else, such as "2 days ago"."""
    text = text.strip()
    if found := _COMPACT.match(text) or _ISO.match(text):
        return _joined(found[1], found[2], found[3])
    if found := _MONTH_FIRST.match(text):
        return _joined(found[3], month_number(found[1]), found[2])
    if found := _DAY_FIRST.match(text):
        return _joined(found[3], month_number(found[2]), found[1])
    return ""


def month_number(month: str) -> str:
    """ "Jan", "January", "01" or "1" -> "01"; "" if it is none."""
    short = month.lower()[:3]
    number = MONTHS.index(short) + 1 if short in MONTHS else int(month) if month.isdecimal() else 0
    return f"{number:02d}" if 1 <= number <= 12 else ""


def _joined(year: str, month: str | None, day: str | None) -> str:
    """As far as the parts are such of a date."""
    if not month or not 1 <= int(month) <= 12:
        return year
    return f"{year}-{month}-{int(day):02d}" if day and 1 <= int(day) <= 31 else f"{year}-{month}"
