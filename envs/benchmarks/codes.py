"""Identifiers: those that `medrl.normal` knows, and others by their shape (rs11591147, N211675, a patent)."""

import re

from envs.benchmarks.statements import commits
from medrl.normal import identifiers

_CODE = re.compile(r"(?P<letters>[A-Za-z]{1,4})?(?P<digits>(?(letters)\d{5,12}|\d{7,12}))")
"""Without letters, seven digits at least: fewer are an amount."""
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")


def same_code(said: str, gold: str) -> bool:
    """Whether `said` has the gold identifier and none besides of its kind."""
    gold_ids, rest = identifiers(gold)
    if len(gold_ids) == 1 and not rest:
        return identifiers(said)[0] == gold_ids and commits(said)
    code = _CODE.fullmatch(gold.strip())
    if code is None:
        return False
    plain = _GROUPED.sub(lambda found: found[0].replace(",", ""), said)
    if code["letters"] and plain.strip(" .") == code["digits"]:
        return True
    named = re.findall(rf"\b{code['letters'] or ''}\d{{{len(code['digits'])}}}\b", plain, re.I)
    return {each.casefold() for each in named} == {gold.strip().casefold()} and commits(plain)


def other_code(said: str, golds: list[str]) -> bool:
    """Whether `said` has identifiers, and every gold answer is another one."""
    ids, gold_ids = identifiers(said)[0], [identifiers(gold)[0] for gold in golds]
    return bool(ids) and all(gold_ids) and not any(ids & each for each in gold_ids)


def is_code(text: str) -> bool:
    """Whether `text` is a scheme and its number, "ORPHA:365": no label and what it labels."""
    return re.fullmatch(r"[A-Za-z_]{2,10}\s?:\s?\d[\w.]*", text.strip(" .")) is not None
