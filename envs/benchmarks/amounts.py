"""Numbers as people write them, in English and Chinese, as a `medrl.normal.Quantity`.

"about $1.2 million" -> 1200000 usd      "第三集" -> 3      "3.7百万吨" -> 3700000 t        "百分之四点五" -> 4.5 %
"""

import re
import unicodedata
from dataclasses import replace
from decimal import Decimal

from medrl.normal import Quantity, quantity

_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_SMALL = {"十": 10, "百": 100, "千": 1000}
_NUMERAL = "零〇一二两三四五六七八九十百千万亿点"
_SCALES = {
    "万亿": 12,
    "千亿": 11,
    "百亿": 10,
    "十亿": 9,
    "亿": 8,
    "千万": 7,
    "百万": 6,
    "十万": 5,
    "万": 4,
    "千": 3,
    "百": 2,
    "thousand": 3,
    "k": 3,
    "million": 6,
    "mn": 6,
    "billion": 9,
    "bn": 9,
    "trillion": 12,
}
_UNITS = {
    "美元": "usd",
    "人民币": "cny",
    "元": "cny",
    "公里": "km",
    "千米": "km",
    "厘米": "cm",
    "毫米": "mm",
    "米": "m",
    "公斤": "kg",
    "千克": "kg",
    "毫克": "mg",
    "克": "g",
    "吨": "t",
    "毫升": "ml",
    "升": "l",
    "秒": "s",
    "分钟": "min",
    "小时": "h",
    "天": "d",
    "日": "d",
    "周": "w",
    "个月": "mo",
    "年": "y",
    "岁": "y",
    "毫安时": "mah",
    "倍": "times",
}
_COUNTERS = "个名位家集首期次部座人条只枚层句支项篇本届款辆张种局站颗章回所步台件分"
"""What Chinese puts between a number and what is counted."""
_ABOUT = re.compile(
    r"(?:about|approximately|approx\.?|around|roughly|circa|some|a total of|total of|共|一共|总共|大?约|第)\s*"
)
_CURRENCY = re.compile(r"(us\$|\$|¥|€|£)\s*(.+)")
_SIGNS = {"us$": "usd", "$": "usd", "¥": "cny", "€": "eur", "£": "gbp"}
CURRENCIES = frozenset(_SIGNS.values())
_NAMED = {
    "dollar": "usd",
    "dollars": "usd",
    "us dollars": "usd",
    "yuan": "cny",
    "rmb": "cny",
    "euro": "eur",
    "euros": "eur",
}
_ONES = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split(),
        range(20),
        strict=True,
    )
)
_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
_ENGLISH = re.compile(rf"\b(?:{'|'.join((*_TENS, *_ONES))})\b(?:[- ](?:{'|'.join((*_ONES, 'hundred'))})\b)*")
_SHARES = {"half": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fifth": 5, "fifths": 5, "tenth": 10}
_PARTS = re.compile(
    rf"(?P<number>[<>≤≥~+-]*\s*\d[\d,]*(?:\.\d+)?)\s*(?P<scale>{'|'.join(_SCALES)})?(?![a-z])\s*(?P<unit>\D{{0,30}})"
)


_ANYWHERE = re.compile(
    r"(?<![A-Za-z\d.])(?P<number>(?:us\$|[$¥€£])?\s?\d[\d,]*(?:\.\d+)?(?:\s*%)?)"
    r"(?![A-Za-z.]*\d)(?=(?P<after>[^\d,.;:()]{0,24}))",
    re.I,
)


BOUND_AFTER = re.compile(
    r"\s*[\u4e00-\u9fff]?(以上|以下|以内|以外|之外|之前|之后|以前|以后|的[一二两三四五六七八九十]*倍)"
)
"""What Chinese puts behind a number or a date that is a bound of what is meant."""
_BOUNDS = {
    "between": re.compile(r"\bbetween\s+$"),
    ">=": re.compile(r"\b(?:at least|(?:a )?minimum(?: of)?|no (?:less|fewer) than)\s+$|(?:至少|最少|不少于)\s*$"),
    "<=": re.compile(r"\b(?:at most|up to|(?:a )?maximum(?: of)?|no more than)\s+$|(?:至多|最多|不超过)\s*$"),
    ">": re.compile(
        r"\b(?:(?:more|greater|higher|larger) than|over|above|exceeding|after|since)\s+$|(?:超过|多于|高于|大于)\s*$"
    ),
    "<": re.compile(
        r"\b(?:(?:less|fewer|lower|smaller) than|under|below|before|prior to)\s+$|(?:不到|少于|低于|小于)\s*$"
    ),
}


def amounts_in(text: str) -> list[Quantity]:
    """The amounts that a sentence names, each with the word after it as its unit and what is before it as its bound."""
    plain = _digits(unicodedata.normalize("NFKC", text).casefold())
    amounts: list[Quantity] = []
    for found in _ANYWHERE.finditer(plain):
        amount = _with_unit(found["number"].strip(), found["after"])
        if amount is not None:
            amounts.append(replace(amount, bound=amount.bound or _bound(plain[: found.start()], found["after"])))
    return amounts


def _bound(before: str, after: str) -> str:
    if (told := BOUND_AFTER.match(after)) is not None:
        return told[1]
    return next((bound for bound, words in _BOUNDS.items() if words.search(before) is not None), "")


def _with_unit(number: str, after: str) -> Quantity | None:
    unit = re.match(r"\s*(?:million|billion|thousand|k\b)?\s*[a-zμ°%]+(?:/[a-z]+)?", after)
    chinese = max((each for each in (*_UNITS, *_SCALES) if after.strip().startswith(each)), key=len, default="")
    return read_amount(number + (unit[0] if unit is not None else chinese)) or read_amount(number)


def read_amount(text: str) -> Quantity | None:
    """The number that `text` is, with its unit; None if it is anything else, such as two numbers."""
    plain = re.sub(r"(?<=\d)\s?M\b", " million", unicodedata.normalize("NFKC", text).replace("\u2044", "/"))
    plain = _digits(plain.casefold().strip(" 。!*`'\"\n").rstrip(" .。!*`'\"\n"))
    while (about := _ABOUT.match(plain)) is not None:
        plain = plain[about.end() :]
    currency = _CURRENCY.fullmatch(plain)
    if currency is not None:
        amount = read_amount(currency[2])
        return replace(amount, unit=_SIGNS[currency[1]]) if amount is not None and not amount.unit else None
    plain = re.sub(r"\s+of (?:the|all|its|their) .*", "", plain)
    if plain.startswith("百分之"):
        plain = _arabic(plain[3:]) + "%"
    share = re.fullmatch(f"([{_NUMERAL}]+)分之([{_NUMERAL}]+)", plain)
    if share is not None:
        plain = f"{_arabic(share[2])}/{_arabic(share[1])}"
    found = _PARTS.fullmatch(_arabic(plain))
    if found is None:
        return quantity(plain)
    unit = found["unit"].strip()
    unit = _UNITS.get(unit) or _NAMED.get(unit) or ("" if unit and unit in _COUNTERS else unit)
    scale = f"e{_SCALES[found['scale']]}" if found["scale"] else ""
    return quantity(f"{found['number']}{scale} {unit}".strip())


def _digits(text: str) -> str:
    """With English number words and fractions in digits: "three quarters" -> "3/4"; thousands without their spaces."""
    text = re.sub(r"\bdegrees? celsius\b|摄氏度", "deg c", text)
    text = re.sub(r"\bper cent\b", "percent", re.sub(r"^minus\s+(?=\w)", "-", text))
    text = _ENGLISH.sub(lambda found: str(_english(found[0])), text)
    text = re.sub(r"\b(\d+) and a half\b", r"\1.5", text)
    text = re.sub(r"\b(\d{1,6}) dozen\b", lambda found: str(12 * int(found[1])), text)
    text = re.sub(r"\b(?:(\d+)|an?)?[ -]?\b(half|thirds?|quarters?|fifths?|tenth)\b", _fraction, text)
    return re.sub(r"(?<=\d)[ \u00a0\u202f](?=\d{3}\b)", "", text) if re.match(r"\d{1,3}(?: \d{3})+\b", text) else text


def _english(words: str) -> int:
    total = 0
    for word in re.split("[- ]", words):
        total = total * 100 if word == "hundred" else total + (_TENS.get(word) or _ONES[word])
    return total


def _fraction(found: re.Match[str]) -> str:
    return f"{found[1] or 1}/{_SHARES[found[2]]}"


def _arabic(text: str) -> str:
    """With a numeral that it begins with in digits: "十二个" -> "12个"."""
    run = re.match(f"[{_NUMERAL}]+", text)
    value = _value(run[0]) if run is not None else None
    return text if run is None or value is None else f"{value}{text[run.end() :]}"


def _value(numeral: str) -> Decimal | None:
    """十二 -> 12, 三千零五 -> 3005, 四点五 -> 4.5; None if it is no number."""
    whole, point, places = numeral.partition("点")
    if point and (not whole or not places or not set(places) <= _DIGITS.keys()):
        return None
    total = myriads = section = digit = 0
    for char in whole:
        if char in _DIGITS:
            digit = digit * 10 + _DIGITS[char]
        elif char in _SMALL:
            section, digit = section + (digit or 1) * _SMALL[char], 0
        elif not total + myriads + section + digit:
            return None
        elif char == "万":
            myriads, section, digit = myriads + (section + digit) * 10**4, 0, 0
        else:
            total, myriads, section, digit = (total + myriads + section + digit) * 10**8, 0, 0, 0
    whole_value = total + myriads + section + digit
    decimals = "".join(str(_DIGITS[char]) for char in places)
    return Decimal(f"{whole_value}.{decimals}" if decimals else whole_value)
