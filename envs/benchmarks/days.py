"""Dates as people write them: those of `medrl.normal.date`, and more."""

import re
import unicodedata

from envs.benchmarks.amounts import BOUND_AFTER
from medrl.normal import date

_WEEKDAY = re.compile(
    r"\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b\.?,?\s*|[(]?(?:周|星期)[一二三四五六日天][)]?"
)
_TIME = re.compile(r"(?<=\d)[t ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?z?$")
_CHINESE = re.compile(r"(\d{4})\s*年(?:\s*(\d{1,2})\s*月(?:份|\s*(\d{1,2})\s*[日号])?)?")
_NUMBERS = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})")
_MONTH_YEAR = re.compile(r"(\d{1,2})[-/](\d{4})")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*"
_ANYWHERE = re.compile(
    rf"\d{{4}}\s*年(?:\s*\d{{1,2}}\s*月(?:\s*\d{{1,2}}\s*[日号])?)?|\b\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{4}}\b"
    rf"|\b\d{{4}}[-/.]\d{{1,2}}(?:[-/.]\d{{1,2}})?\b|\b{_MONTH}\.?[- ](?:\d{{1,2}}(?:st|nd|rd|th)?,?[- ])?\d{{4}}\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)?[- ]{_MONTH}\.?,?[- ]\d{{4}}\b"
    rf"|(?<![\d.,-])(?:1[89]|20)\d{{2}}(?![\d.,]?\d|-\d)",
    re.I,
)

_BOUND = re.compile(
    r"\b(?:before|after|prior to|past|by|since|than|at least|at most|up to)\s+(?:the\s+)?$|(?:早于|晚于)\s*$", re.I
)

Day = tuple[int, ...]
"""(year,), (year, month) or (year, month, day)."""


def month_first(question: str) -> bool | None:
    """Whether the question asks for dates as MM-DD-YYYY (True) or DD-MM-YYYY (False); None where it does not say."""
    if re.search(r"\bMM[-/. ]DD", question):
        return True
    return False if re.search(r"\bDD[-/. ]MM", question) else None


def read_day(text: str, month_first: bool | None) -> Day | None:
    """The date that `text` is. 03-04-2021 is one only if it is known which of the two is the month."""
    plain = unicodedata.normalize("NFKC", text).casefold().strip(" .。!*`'\"\n")
    plain = _TIME.sub("", _WEEKDAY.sub("", plain)).strip(" ,")
    found = _CHINESE.fullmatch(plain)
    if found is not None:
        return date("-".join(part for part in found.groups() if part is not None))
    found = _NUMBERS.fullmatch(plain)
    if found is not None:
        return _numeric(int(found[1]), int(found[3]), found[4] if len(found[4]) == 4 else f"20{found[4]}", month_first)
    found = _MONTH_YEAR.fullmatch(plain)
    if found is not None:
        return date(f"{found[2]}-{found[1]}")
    found = _COMPACT.fullmatch(plain)
    if found is not None:
        return date("-".join(found.groups()))
    return date(re.sub(r"(?<=\d)\.(?=\d)", "-", re.sub(r"(?<=[a-z])-(?=\d)|(?<=\d)-(?=[a-z])", " ", plain)))


def days_in(text: str, month_first: bool | None) -> set[Day | None]:
    """The dates that a sentence names; None stands for those that could be two."""
    return {read_day(found[0], month_first) for found in _ANYWHERE.finditer(unicodedata.normalize("NFKC", text))}


def bounds_in(text: str, month_first: bool | None) -> set[Day | None]:
    """Of the dates that a sentence names those that are a bound: "before May 2020"."""
    plain = unicodedata.normalize("NFKC", text)
    return {
        read_day(found[0], month_first)
        for found in _ANYWHERE.finditer(plain)
        if _BOUND.search(plain[: found.start()]) is not None or BOUND_AFTER.match(plain[found.end() :]) is not None
    }


def _numeric(first: int, second: int, year: str, month_first: bool | None) -> Day | None:
    if first > 12 or second > 12 or first == second:
        month_first = second > 12 or first == second
    if month_first is None:
        return None
    month, day = (first, second) if month_first else (second, first)
    return date(f"{year}-{month}-{day}")
