"""How well, and how fast, the reasoning engine finds a disease by its findings, beside plain overlap.

    PYTHONPATH=. python benchmarks/diagnosis.py KNOWLEDGE [--diseases 1000] [--fit]

KNOWLEDGE is a folder that `kisa.knowledge.build_knowledge` wrote. A patient of each disease is drawn: every annotated
finding is there with its annotated probability; three to six of those that are there are told, and with them one that
the disease is not annotated with, from another disease. Then the same patient, told otherwise:

    imprecise    one finding is told by an HPO parent            narrower    one by an HPO child
    absent       two findings are ruled out as well, that diseases with one of the patient's findings have
    context      inheritance and an age within an onset class as annotated; sex as likely as the disease has it

Plain overlap counts the findings told that a disease is annotated with; "closed" counts those with a narrower one too.
Ranks among equals are averaged: a disease that ties with two others counts a third as first.

What the sampling shares with the model: the annotations themselves, frequencies, inheritance, onset and shares of males
included. So the figures say how well the engine inverts what is written, not how well patients are diagnosed. The
parent and child of a finding are drawn without the model's weights. --fit tries constants on the other half of the
diseases than the tables are of, and prints no table.
"""

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np

from envs.corpus import DiseaseProfile, FindingName
from envs.profiles import ProfileTable, Reals, build_profiles
from envs.reasoning import conditionals
from envs.reasoning.context import MALE_SHARES, Context
from envs.reasoning.engine import ClinicalReasoningEngine
from envs.reasoning.onset import ONSET_RANGES
from medrl.evaluation import bootstrap_mean, paired_difference
from medrl.records import read_jsonl
from medrl.sections.knowledge import KnowledgeConfig
from medrl.seeds import derive_seed
from tests.envs.reasoning.family import CONSTANTS
from tests.oracles_diagnosis import DiagnosisOracle

VARIANTS = ("exact", "imprecise", "narrower", "absent", "context")
_FEWEST, _MOST = 3, 6
_EXPECTED = 4.0
_RESAMPLES = 10_000


@dataclass(frozen=True)
class Case:
    """What is told of one patient of the disease `row`: ids of findings and what else is known."""

    row: int
    findings: list[str]
    context: Context = field(default_factory=Context)


class Sampler:
    """Draws patients from profiles."""

    def __init__(self, profiles: Sequence[DiseaseProfile], findings: Sequence[FindingName]) -> None:
        self.profiles = profiles
        self.parents = {finding.id: finding.parents for finding in findings}
        self.children: dict[str, list[str]] = defaultdict(list)
        for finding in findings:
            for parent in finding.parents:
                self.children[parent].append(finding.id)
        self.carriers: dict[str, list[int]] = defaultdict(list)
        for row, profile in enumerate(profiles):
            for finding_id in profile.findings:
                self.carriers[finding_id].append(row)

    def variants(self, row: int, rng: random.Random) -> dict[str, Case]:
        """The same patient told in each way."""
        told, noise = self._told(row, rng), self._noise(row, rng)
        cases = {"exact": Case(row, [*told, noise])}
        for name, others in (("imprecise", self.parents), ("narrower", self.children)):
            places = [place for place, each in enumerate(told) if others.get(each)]
            changed = list(told)
            if places:
                place = rng.choice(places)
                changed[place] = rng.choice(list(others[told[place]]))
            cases[name] = Case(row, [*changed, noise])
        cases["absent"] = Case(row, [*told, noise], Context(absent=self._ruled_out(row, [*told, noise], rng)))
        cases["context"] = Case(row, [*told, noise], self._context(self.profiles[row], rng))
        return cases

    def _told(self, row: int, rng: random.Random) -> list[str]:
        while True:
            there = [each for each, (p, _) in self.profiles[row].findings.items() if rng.random() < p]
            if len(there) >= _FEWEST:
                return rng.sample(there, min(rng.randint(_FEWEST, _MOST), len(there)))

    def _noise(self, row: int, rng: random.Random) -> str:
        while True:
            drawn = rng.choice(list(rng.choice(self.profiles).findings))
            if drawn not in self.profiles[row].findings:
                return drawn

    def _ruled_out(self, row: int, told: Sequence[str], rng: random.Random) -> tuple[str, ...]:
        kept: list[str] = []
        own = {up for each in (*self.profiles[row].findings, *told) for up in (each, *self.broader(each))}
        for _ in range(50):
            rival = self.profiles[rng.choice(self.carriers[rng.choice(told)])]
            drawn = rng.choice(list(rival.findings))
            if drawn not in own and drawn not in kept:
                kept.append(drawn)
            if len(kept) == 2:
                break
        return tuple(kept)

    def broader(self, finding: str) -> set[str]:
        """All broader findings."""
        return {up for parent in self.parents[finding] for up in (parent, *self.broader(parent))}

    def _context(self, profile: DiseaseProfile, rng: random.Random) -> Context:
        classes = [ONSET_RANGES[each] for each in profile.onset if each in ONSET_RANGES]
        born = [(max(low, 0.0), high) for low, high in classes if high > 0.0]
        onset = f"{rng.uniform(*rng.choice(born)):.4f}" if born else None
        male = max(
            (MALE_SHARES.get(mode, 0.5) for mode in profile.inheritance), key=lambda p: abs(p - 0.5), default=0.5
        )
        sex = "male" if rng.random() < male else "female"
        return Context(rng.choice(profile.inheritance) if profile.inheritance else None, onset, sex=sex)


def hits(scores: Reals, row: int, k: int) -> float:
    """The chance that `row` is among the first `k` when equals are put in random order."""
    above, equal = int((scores > scores[row] + 1e-12).sum()), int((abs(scores - scores[row]) <= 1e-12).sum())
    return min(1.0, max(0.0, (k - above) / equal))


def overlap(table: ProfileTable, columns: Sequence[int], *, closed: bool) -> Reals:
    """How many of the findings each disease has."""
    counts = np.zeros(len(table.ids))
    for column in columns:
        has = np.zeros(len(table.ids), bool)
        for each in (column, *(table.below[column] if closed else ())):
            has[table.column(int(each))[0]] = True
        counts += has
    return counts


def quality(engine: ClinicalReasoningEngine, table: ProfileTable, drawn: Sequence[dict[str, Case]]) -> None:
    """Print top-1 and top-10 of each variant with 95% intervals."""
    print(f"{'variant':11}{'k':>3}{'n':>6}  {'engine':22}{'overlap':22}{'closed overlap':22}engine − overlap")
    for variant in VARIANTS:
        cases = [each[variant] for each in drawn]
        ranked: list[tuple[Case, list[Reals]]] = []
        for case in cases:
            columns = sorted({engine.resolve(each) for each in case.findings})
            plain, closed = (overlap(table, columns, closed=how) for how in (False, True))
            ranked.append((case, [engine.posterior(case.findings, context=case.context).log_joint, plain, closed]))
        for k in (1, 10):
            found = [[hits(scores[way], case.row, k) for case, scores in ranked] for way in range(3)]
            rng = np.random.default_rng(derive_seed("diagnosis", variant, k))
            shown = [_interval(*bootstrap_mean(each, rng=rng, n=_RESAMPLES)) for each in found]
            difference = _interval(*paired_difference(found[0], found[1], rng=rng, n=_RESAMPLES), sign=True)
            print(f"{variant:11}{k:3}{len(cases):6}  {shown[0]:22}{shown[1]:22}{shown[2]:22}{difference}", flush=True)


def _interval(mean: float, low: float, high: float, *, sign: bool = False) -> str:
    plus = "+" if sign else ""
    return f"{mean:{plus}.3f} [{low:{plus}.3f}, {high:{plus}.3f}]"


def speed(engine: ClinicalReasoningEngine, sampler: Sampler, drawn: Sequence[dict[str, Case]]) -> None:
    """Print the time of one differential over all diseases, and its ratio to the scalar oracle."""
    taken = []
    for case in [each["exact"] for each in drawn[:200]]:
        started = time.perf_counter()
        engine.posterior(case.findings, context=case.context)
        taken.append(time.perf_counter() - started)
    oracle = DiagnosisOracle(sampler.profiles, sampler.parents, CONSTANTS)
    case = drawn[0]["exact"]
    started = time.perf_counter()
    slow = oracle.posterior(case.findings)
    slow_s = time.perf_counter() - started
    fast = engine.posterior(case.findings).probability
    assert np.allclose(fast, list(slow.values()), rtol=1e-9, atol=0.0)
    middle, high = np.percentile(taken, [50, 95])
    print(
        f"\na differential over {len(sampler.profiles)} diseases: p50 {1000 * middle:.1f} ms, p95 {1000 * high:.1f} ms"
        f"; the scalar oracle {slow_s:.1f} s on one case, {slow_s / middle:.0f} times as long, the same to 1e-9"
    )


def fit(engine: ClinicalReasoningEngine, drawn: Sequence[dict[str, Case]]) -> None:
    """Print top-1 and top-10 by constants, the mean over what changes with them."""
    grid = {
        "NAMED_BROADER": (0.02, 0.05, 0.2, 1.0),
        "NARROWER_SHARE": (0.03, 0.1, 0.3),
        "BACKGROUND_SHARE": (0.1, 0.2, 0.5),
    }
    told = VARIANTS[:3]
    print("  ".join(grid), "  top-1 and top-10:", *told, "mean")
    for values in product(*grid.values()):
        with patch.multiple(conditionals, **dict(zip(grid, values, strict=True))):
            shares: list[tuple[float, float]] = []
            for variant in told:
                scores = [(each[variant], engine.posterior(each[variant].findings).log_joint) for each in drawn]
                first, tenth = (np.mean([hits(s, case.row, k) for case, s in scores]) for k in (1, 10))
                shares.append((float(first), float(tenth)))
        text = "   ".join(f"{first:.3f} {tenth:.3f}" for first, tenth in [*shares, tuple(np.mean(shares, axis=0))])
        print(*(f"{value:<14g}" for value in values), text, flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("knowledge", type=Path)
    parser.add_argument("--diseases", type=int, default=1000)
    parser.add_argument("--cache", default=KnowledgeConfig().cache)
    parser.add_argument("--fit", action="store_true", help="try constants on other diseases")
    arguments = parser.parse_args()
    table = ProfileTable(build_profiles(arguments.knowledge, Path(arguments.cache).expanduser()))
    profiles = list(read_jsonl(arguments.knowledge / "profiles.jsonl", DiseaseProfile))
    sampler = Sampler(profiles, list(read_jsonl(arguments.knowledge / "findings.jsonl", FindingName)))
    chosen = list(_chosen(profiles, derive_seed("diagnosis", "diseases")))
    half = chosen[1 if arguments.fit else 0 :: 2]
    drawn = [
        sampler.variants(row, random.Random(derive_seed("diagnosis", profiles[row].id)))
        for row in half[: arguments.diseases]
    ]
    engine = ClinicalReasoningEngine(table)
    if arguments.fit:
        fit(engine, drawn)
        return
    quality(engine, table, drawn)
    speed(engine, sampler, drawn)


def _chosen(profiles: Sequence[DiseaseProfile], seed: int) -> Iterator[int]:
    """Diseases in random order whose patients have findings enough to tell."""
    order = list(range(len(profiles)))
    random.Random(seed).shuffle(order)
    return (row for row in order if sum(p for p, _ in profiles[row].findings.values()) >= _EXPECTED)


if __name__ == "__main__":
    main()
