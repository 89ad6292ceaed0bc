"""Numbers and dates as people write them."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.benchmarks.absence import abstains, is_absence
from envs.benchmarks.amounts import amounts_in, read_amount
from envs.benchmarks.days import days_in, month_first, read_day


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("三", 3, ""),
        ("第三集", 3, ""),
        ("十二个", 12, ""),
        ("三千零五", 3005, ""),
        ("两万五千", 25_000, ""),
        ("一亿零三百万", 103_000_000, ""),
        ("四点五", Decimal("4.5"), ""),
        ("百分之六点零五", Decimal("6.05"), "%"),
        ("四分之一", Decimal("0.25"), ""),
        ("3.5万", 35_000, ""),
        ("1.2亿元", 120_000_000, "cny"),
        ("1.5万亿美元", 1_500_000_000_000, "usd"),
        ("5.9米", Decimal("5.9"), "m"),
        ("约20个", 20, ""),
        ("１２３", 123, ""),
        ("256k", 256_000, ""),
        ("1.2M", 1_200_000, ""),
        ("$1.2 million", 1_200_000, "usd"),
        ("about 1,218 participants", 1218, "participant"),
        ("1 218", 1218, ""),
        ("twenty-seven", 27, ""),
        ("three hundred five", 305, ""),
        ("three quarters", Decimal("0.75"), ""),
        ("¾", Decimal("0.75"), ""),
        ("25 per cent", 25, "percent"),
        ("minus 12 degrees Celsius", -12, "deg c"),
        (".2483", Decimal("0.2483"), ""),
    ],
)
def test_amounts(text: str, value: int | Decimal, unit: str) -> None:
    amount = read_amount(text)
    assert amount is not None
    assert (amount.value, amount.unit) == (Decimal(value), unit)


@pytest.mark.parametrize("text", ["", "FBN1", "12 or 13", "万", "点五", "NCT01234567", "2 + 2", "1/0", "$€5", "about"])
def test_no_amounts(text: str) -> None:
    assert read_amount(text) is None


def chinese(number: int) -> str:
    """By the rules of school books, digit for digit: the slow way round."""
    digits, text = "零一二三四五六七八九", ""
    for place, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // place % 10
        if digit:
            text += digits[digit] + name
        elif text and not text.endswith("零") and number % place:
            text += "零"
    return text


@given(st.integers(1, 9999), st.integers(0, 9999))
def test_chinese_numerals(high: int, low: int) -> None:
    text = f"{chinese(high)}万" + (("零" if low < 1000 else "") + chinese(low) if low else "")
    amount = read_amount(text)
    assert amount is not None
    assert amount.value == high * 10_000 + low


def test_amounts_in_a_sentence_have_their_units() -> None:
    found = amounts_in(
        "In 12 months, 27 patients (18%) paid $41.27 for 5.9米 of it; NCT01234567 and B12 are no amounts"
    )
    assert [(str(each.value), each.unit) for each in found] == [
        ("12", "month"),
        ("27", "patient"),
        ("18", "%"),
        ("41.27", "usd"),
        ("5.9", "m"),
    ]


FORMATS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%B %d, %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%A, %B %d, %Y",
)


@given(
    st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.sampled_from((*FORMATS, "%Y年%m月%d日", "%Y-%m-%dT00:00:00Z"))
)
def test_a_date_in_any_format(day: date, style: str) -> None:
    assert read_day(f"{day:{style}}", None) == (day.year, day.month, day.day)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.sampled_from("-/."))
def test_which_number_is_the_month(day: date, mark: str) -> None:
    american, european = f"{day:%m{mark}%d{mark}%Y}", f"{day:%d{mark}%m{mark}%Y}"
    whole = (day.year, day.month, day.day)
    assert read_day(american, True) == read_day(european, False) == whole
    clear = day.day > 12 or day.day == day.month
    assert read_day(american, None) == read_day(european, None) == (whole if clear else None)


def test_what_the_question_says_of_the_order() -> None:
    assert month_first("in MM-DD-YYYY format: date: MM-DD-YYYY") is True
    assert month_first("as DD/MM/YYYY") is False
    assert month_first("in YYYY format") is None


@pytest.mark.parametrize("text", ["99-99-2020", "Foo 12, 2020", "2020-13-01", "next year", "", "12", "31/31/2020"])
def test_no_dates(text: str) -> None:
    assert read_day(text, None) is None


def test_dates_in_a_sentence() -> None:
    assert days_in("from Aug 19, 2027 (2027-08-19) until May 2030", None) == {(2027, 8, 19), (2030, 5)}
    assert days_in("by 03-04-2021", None) == {None}
    assert days_in("15.98 and 20,271 are no years", None) == set()


def test_none_is_not_unknown() -> None:
    assert all(map(is_absence, ("NA", "N/A", "nan", "Not_Listed", "not applicable", "无", "", "No patents")))
    assert not any(map(is_absence, ("unknown", "no data found", "No idea", "NA Pharma", "not FBN1", "Namibia")))
    assert abstains("The page would not load") and abstains("查不到具体数字")
    sure = ("Noonan syndrome", "No change in survival", "46,XX", "FBN2 [gene]", "renal insufficiency", "a missing rib")
    assert not any(map(abstains, sure))
