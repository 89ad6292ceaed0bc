"""Priors by context: P(D | c) is the product of the weights below, normalised over the candidates.

    factor        weight of a disease
    prevalence    its class's, see kisa.sources.prevalence; 1 where none is known
    inheritance   1 if one of its modes fits, 0.5 if none is stated, 0.1 if others are
    onset         1 if the range of one of its classes holds the context's age or shares an age with its class;
                  0.5 if none is stated, 0.1 if others are
    sex           P(sex | D), male : female
                    0.99 : 0.01  male-limited or Y-linked, or all its findings are stated for males alone
                    0.95 : 0.05  X-linked recessive
                    0.80 : 0.20  X-linked, no more said
                    0.35 : 0.65  X-linked dominant
                    0.01 : 0.99  female-limited, or all its findings are stated for females alone
                    0.50 : 0.50  any other; of several the one farthest from half

No weight is 0: what is written of a disease is never all there is, so no context leaves nothing to choose from.
Sex changes conditionals too: a figure stated for the other sex alone says nothing (`envs.reasoning.conditionals`).
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from envs.names import NameTable
from envs.profiles import SEXES, ProfileTable, Reals
from envs.reasoning.evidence import Observation
from envs.reasoning.onset import ONSET_RANGES, onset_range, overlap
from envs.text import fold

CONTRADICTED = 0.1
UNSTATED = 0.5
#: The share of males among a disease's patients.
MALE_SHARES = {
    "Male-limited expression": 0.99,
    "Y-linked inheritance": 0.99,
    "X-linked recessive inheritance": 0.95,
    "X-linked inheritance": 0.8,
    "X-linked dominant inheritance": 0.35,
    "Female-limited expression": 0.01,
}
_ONE_SEX = {"male": 0.99, "female": 0.01}
_NEAREST = 3

V = TypeVar("V", bound=Hashable)


class BadContext(ValueError):
    """A context that cannot be understood, or that contradicts the findings. The message says what is known."""


@dataclass(frozen=True, slots=True)
class Context:
    """What c holds. None or empty: not known.

    `inheritance`: a mode as profiles have them, with or without "inheritance", or a broader one ("X-linked").
    `onset`: a class ("Childhood onset") or an age ("6 months", "3": years). `sex`: "male" or "female". `absent`:
    findings that the patient does not have. `observations` update P(s | D).
    """

    inheritance: str | None = None
    onset: str | None = None
    observations: tuple[Observation, ...] = ()
    sex: str | None = None
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PriorFactor:
    """One factor of the prior: `weights` [diseases], and in `said` by row what they are from."""

    name: str
    weights: Reals
    said: Sequence[str]


def prior_factors(table: ProfileTable, context: Context) -> list[PriorFactor]:
    """Prevalence, and a factor for each thing that the context states. Raises BadContext."""
    factors = [PriorFactor("prevalence", table.prior, [each or "no class" for each in table.prevalence])]
    if context.inheritance is not None:
        fits = _inheritance_fits(table, context.inheritance)
        factors.append(_by_statement("inheritance", table.inheritance, fits))
    if context.onset is not None:
        factors.append(_by_statement("onset", table.onset, _onset_fits(table, context.onset)))
    if context.sex is not None:
        factors.append(_sex(table, context.sex))
    return factors


def _by_statement(name: str, stated: Sequence[frozenset[str]], fits: Callable[[str], bool]) -> PriorFactor:
    def weigh(known: frozenset[str]) -> tuple[float, str]:
        weight = 1.0 if any(map(fits, known)) else CONTRADICTED if known else UNSTATED
        return weight, "; ".join(sorted(known)) or "not stated"

    return _factor(name, stated, weigh)


def _factor(name: str, values: Sequence[V], weigh: Callable[[V], tuple[float, str]]) -> PriorFactor:
    weighed = {value: weigh(value) for value in set(values)}  # thousands of diseases have a few hundred values
    return PriorFactor(name, np.array([weighed[each][0] for each in values]), [weighed[each][1] for each in values])


def _inheritance_fits(table: ProfileTable, wanted: str) -> Callable[[str], bool]:
    def short(mode: str) -> str:
        return " ".join(fold(mode).split()).removesuffix(" inheritance")

    def fits(mode: str) -> bool:
        known = short(mode)
        return f"{known} ".startswith(f"{asked} ") or f"{asked} ".startswith(f"{known} ")

    asked = short(wanted)
    modes = sorted({mode for each in table.inheritance for mode in each})
    if not asked or not any(map(fits, modes)):
        raise BadContext(f"unknown inheritance {wanted!r}; nearest: {_nearest(wanted, modes)}")
    return fits


def _onset_fits(table: ProfileTable, wanted: str) -> Callable[[str], bool]:
    span = onset_range(wanted)
    classes = {name for each in table.onset for name in each}
    if span is None and wanted not in classes:
        known = _nearest(wanted, sorted(classes | ONSET_RANGES.keys()))
        raise BadContext(f"onset {wanted!r} is neither an age such as '3 years' nor a class; nearest: {known}")

    def fits(name: str) -> bool:
        stated = ONSET_RANGES.get(name)
        return name == wanted or (span is not None and stated is not None and overlap(span, stated))

    return fits


def _sex(table: ProfileTable, wanted: str) -> PriorFactor:
    if wanted not in SEXES[1:]:
        raise BadContext(f"sex {wanted!r} is neither male nor female")

    def weigh(known: tuple[str, frozenset[str]]) -> tuple[float, str]:
        one_sex, modes = known
        said = {mode: MALE_SHARES[mode] for mode in sorted(modes) if mode in MALE_SHARES}
        if one_sex:
            said[f"all findings in {one_sex}s"] = _ONE_SEX[one_sex]
        reason = max(said, key=lambda each: abs(said[each] - 0.5), default="not stated")
        male = said.get(reason, 0.5)
        return male if wanted == "male" else 1.0 - male, reason

    return _factor("sex", list(zip(table.one_sex, table.inheritance, strict=True)), weigh)


def _nearest(wanted: str, names: Sequence[str]) -> str:
    return "; ".join(NameTable((name, row) for row, name in enumerate(names)).nearest(wanted, _NEAREST))
