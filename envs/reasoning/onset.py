"""When a disease begins: HPO's onset classes as ranges of age, and an age or a class as people write it."""

import re

from envs.text import fold

Range = tuple[float, float]

_DAY = 1 / 365.25
_WEEK = 7 * _DAY
_TERM = -40 * _WEEK
#: [from, to) in years after birth, as HPO defines its classes; weeks of gestation count back from the 40th.
ONSET_RANGES: dict[str, Range] = {
    "Antenatal onset": (_TERM, 0.0),
    "Embryonal onset": (_TERM, -30 * _WEEK),
    "Fetal onset": (-30 * _WEEK, 0.0),
    "Late first trimester onset": (-29 * _WEEK, -26 * _WEEK),
    "Second trimester onset": (-26 * _WEEK, -12 * _WEEK),
    "Third trimester onset": (-12 * _WEEK, 0.0),
    "Congenital onset": (0.0, _DAY),
    "Neonatal onset": (0.0, 28 * _DAY),
    "Pediatric onset": (28 * _DAY, 16.0),
    "Infantile onset": (28 * _DAY, 1.0),
    "Childhood onset": (1.0, 5.0),
    "Juvenile onset": (5.0, 16.0),
    "Adult onset": (16.0, 130.0),
    "Young adult onset": (16.0, 40.0),
    "Early young adult onset": (16.0, 19.0),
    "Intermediate young adult onset": (19.0, 25.0),
    "Late young adult onset": (25.0, 40.0),
    "Middle age onset": (40.0, 60.0),
    "Late onset": (60.0, 130.0),
}
_BY_NAME = {fold(name): span for name, span in ONSET_RANGES.items()}
_YEARS = {"d": _DAY, "w": _WEEK, "m": 1 / 12, "y": 1.0}
_UNIT = "d|days?|w|wks?|weeks?|m|mos?|mths?|months?|y|yo|yrs?|years?"
_AGE = re.compile(rf"(\d{{1,3}}(?:\.\d+)?)\s*({_UNIT})?(?: old| of age)?")


def onset_range(stated: str) -> Range | None:
    """The range of a class ("Childhood onset", "childhood") or of an age ("6 months", "3": years), a day wide.

    None for a class that is not known, and for what is no age at which people live.
    """
    text = " ".join(fold(stated).split())
    known = _BY_NAME.get(text) or _BY_NAME.get(f"{text} onset")
    if known is not None:
        return known
    age = _AGE.fullmatch(text)
    if age is None:
        return None
    years = float(age[1]) * _YEARS[(age[2] or "y")[0]]
    return (years, years + _DAY) if years < ONSET_RANGES["Late onset"][1] else None


def overlap(one: Range, other: Range) -> bool:
    """Whether two ranges share an age."""
    return one[0] < other[1] and other[0] < one[1]
