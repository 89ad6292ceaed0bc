"""Evidence read in documents: counts of patients, and how they update an annotated probability."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from envs.text import fold

#: How many patients an annotated probability counts for when new evidence is pooled with it.
PRIOR_PATIENTS = 2.0

_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_NUMBER = rf"(\d+|none|{'|'.join(_NUMBERS)})"
_COUNT = re.compile(
    rf"(?<![\w/.%-])(?<!\d,){_NUMBER}\s*(?:/|out of|of)\s*(?:the\s+|all\s+)?"
    rf"(\d+|{'|'.join(_NUMBERS)})(?![\w/%]|[.,]\d)",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"(?<![\w.])(?<!\d,)(\d+(?:\.\d+)?)\s*(?:%|percent\b)", re.IGNORECASE)
_COHORT = re.compile(
    r"\bn\s*=\s*(\d+)\b(?![.,]\d)|\bof\s+(?:the\s+)?(\d+)\s+(?:affected\s+)?(?:patients|individuals|cases|subjects)\b"
)
#: A bound or a range, which is no count: "at least 6 of 10", "> 90%", "10-20%".
_BOUND = re.compile(
    r"[<>≤≥±]\s*\d+(?:\.\d+)?\s*(?:%|percent\b|/|of\b|out of\b)"
    r"|\d\s*%?\s*(?:[-–—]|to\b)\s*\d+(?:\.\d+)?\s*(?:%|percent\b)"
    rf"|\b(?:(?:less|more|fewer|greater|higher|lower) than|at least|at most|up to)\s+{_NUMBER}\b"
)
_SENTENCE = re.compile(r"(?<=[.;!?])\s+|\n+")
_DENIAL = re.compile(r"\b(?:no|not|without|never|absent|absence|lack(?:s|ed|ing)?|excluded|free of)\b")


@dataclass(frozen=True, slots=True)
class Observation:
    """Evidence retrieved: `affected` of `examined` patients with the disease had the finding, says `source`."""

    disease_id: str
    finding: str
    affected: int
    examined: int
    source: str


def pooled(probability: float, observations: Sequence[Observation]) -> float:
    """Posterior mean of a Beta whose prior has mean `probability` and weighs `PRIOR_PATIENTS` patients."""
    affected = sum(seen.affected for seen in observations)
    examined = sum(seen.examined for seen in observations)
    return (PRIOR_PATIENTS * probability + affected) / (PRIOR_PATIENTS + examined)


def read_observations(text: str, disease_id: str, findings: Mapping[str, str], source: str) -> list[Observation]:
    """What a text about one disease says of how often `findings` (name -> id) are seen, in the order it says so.

    Understood are counts ("6/10", "six of ten", "none of 12") and percentages where the sentence says of how many
    ("60% of 25 patients", "60% (n = 25)"). A sentence counts if it names as many findings as it has figures, in turn,
    denies nothing and gives no bound or range; what may be meant otherwise is left out, never guessed.
    """
    names = {" ".join(fold(name).split()): identifier for name, identifier in findings.items() if name.strip()}
    if not names:
        return []
    longest = sorted(names, key=len, reverse=True)
    naming = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?:s|es)?(?!\w)")
    found: list[Observation] = []
    for sentence in _SENTENCE.split(text):
        folded = " ".join(fold(sentence).split())
        if _DENIAL.search(folded) or _BOUND.search(folded):
            continue
        figures = _figures(folded)
        named = [(each.start(), each[0]) for each in naming.finditer(folded)]
        if len(named) != len(figures) or not _in_turn([at for at, _ in named], [at for at, _, _ in figures]):
            continue
        for (_, name), (_, affected, examined) in zip(named, figures, strict=True):
            identifier = next(names[each] for each in longest if name in (each, f"{each}s", f"{each}es"))
            found.append(Observation(disease_id, identifier, affected, examined, source))
    return found


def _figures(sentence: str) -> list[tuple[int, int, int]]:
    """(place, affected, examined) of each figure, in order; none if one of them makes no sense."""
    figures = [(each.start(), _number(each[1]), _number(each[2])) for each in _COUNT.finditer(sentence)]
    if not figures:
        cohorts = {int(each[1] or each[2]) for each in _COHORT.finditer(sentence)}
        if len(cohorts) != 1:
            return []
        examined = cohorts.pop()
        shares = [(each.start(), float(each[1]) / 100) for each in _PERCENT.finditer(sentence)]
        figures = [(at, round(share * examined), examined) for at, share in shares]
    return figures if all(0 <= affected <= examined > 0 for _, affected, examined in figures) else []


def _number(word: str) -> int:
    return int(word) if word.isdigit() else 0 if word == "none" else _NUMBERS.index(word)


def _in_turn(names: Sequence[int], figures: Sequence[int]) -> bool:
    """Whether names and figures, by their places, take turns."""
    kinds = [kind for _, kind in sorted([*((at, "name") for at in names), *((at, "figure") for at in figures)])]
    return all(one != other for one, other in pairwise(kinds))
