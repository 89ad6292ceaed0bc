"""Organ systems, and the twelve medical specialties that look after them.

An organ system is a top-level branch of the HPO; the musculoskeletal branch is wide, so its children stand for it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

SPECIALTIES = (
    "cardiology",
    "dermatology",
    "endocrinology",
    "gastroenterology",
    "haematology and oncology",
    "immunology",
    "nephrology",
    "neurology",
    "ophthalmology",
    "orthopaedics",
    "otolaryngology",
    "pulmonology",
)
PHENOTYPE_ROOT = "HP:0000118"
MUSCULOSKELETAL = "HP:0033127"

#: HPO branch -> (adjective, specialty); unspecific branches have no specialty of their own.
BRANCHES: dict[str, tuple[str, str | None]] = {
    "HP:0001626": ("cardiovascular", "cardiology"),
    "HP:0001574": ("skin", "dermatology"),
    "HP:0000769": ("breast", "endocrinology"),
    "HP:0000818": ("endocrine", "endocrinology"),
    "HP:0001939": ("metabolic", "endocrinology"),
    "HP:0025031": ("digestive", "gastroenterology"),
    "HP:0001871": ("blood", "haematology and oncology"),
    "HP:0002664": ("neoplastic", "haematology and oncology"),
    "HP:0002715": ("immune", "immunology"),
    "HP:0000119": ("genitourinary", "nephrology"),
    "HP:0000707": ("neurological", "neurology"),
    "HP:0003011": ("muscular", "neurology"),
    "HP:0000478": ("ocular", "ophthalmology"),
    "HP:0000924": ("skeletal", "orthopaedics"),
    "HP:0003549": ("connective tissue", "orthopaedics"),
    "HP:0011843": ("musculoskeletal", "orthopaedics"),
    "HP:0040064": ("limb", "orthopaedics"),
    "HP:0000598": ("ear", "otolaryngology"),
    "HP:0001608": ("voice", "otolaryngology"),
    "HP:0002086": ("respiratory", "pulmonology"),
    "HP:0045027": ("thoracic", "pulmonology"),
    "HP:0000152": ("head and neck", None),
    "HP:0001197": ("prenatal", None),
    "HP:0001507": ("growth", None),
    "HP:0025142": ("constitutional", None),
    "HP:0025354": ("cellular", None),
}
_FALLBACK = {"head and neck": "otolaryngology", "cellular": "haematology and oncology"}


def adjective(branch: str, name: str) -> str:
    """How findings of a branch are called ("skeletal"); made from the term's name for a branch not in the table."""
    if branch in BRANCHES:
        return BRANCHES[branch][0]
    for lead in ("Abnormality of the ", "Abnormality of ", "Abnormal "):
        name = name.removeprefix(lead)
    return name.lower()


_BY_ADJECTIVE = dict(BRANCHES.values())


def votes(systems: Iterable[str]) -> Counter[str]:
    """How many findings speak for each specialty, given the organ-system adjective of each.

    Unspecific systems count only where there are no others: head and neck is then otolaryngology, cellular
    haematology, the rest (growth, prenatal, constitutional) endocrinology.
    """
    named: Counter[str] = Counter()
    weak: Counter[str] = Counter()
    for system in systems:
        specialty = _BY_ADJECTIVE.get(system)
        if specialty:
            named[specialty] += 1
        else:
            weak[_FALLBACK.get(system, "endocrinology")] += 1
    return named or weak


def usual_shares(all_votes: Iterable[Counter[str]]) -> dict[str, float]:
    """Specialty -> share of a disease's findings that speak for it, on average over the diseases."""
    shares: dict[str, float] = defaultdict(float)
    for found in all_votes:
        for specialty, count in found.items():
            shares[specialty] += count / found.total()
    whole = sum(shares.values())
    return {specialty: share / whole for specialty, share in shares.items()}


def most_typical(found: Counter[str], usual: Mapping[str, float]) -> str:
    """The specialty with the largest excess over what is usual, in standard deviations; ties go to the alphabet.

    Nearly every syndrome has neurological findings, so their plain number says little: three findings of the lungs are
    more telling than four of the brain. A disease without findings counts as endocrinology.
    """
    if len(found) < 2:
        return next(iter(found), "endocrinology")
    n = found.total()
    excess = {name: (count - n * usual[name]) / math.sqrt(n * usual[name]) for name, count in found.items()}
    return min(excess, key=lambda name: (-excess[name], name))
