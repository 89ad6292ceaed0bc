"""Disease profiles as arrays on disk: P(finding | disease) by finding, with the source of each figure.

<out>/profiles-<hash>/diseases.json, findings.json    ids, names, synonyms, inheritance, onset, prevalence, absences
                      prior.npy                       float64 [diseases], relative weights
                      indptr.npy, disease.npy,        column i holds the diseases with finding i, ascending,
                      probability.npy                 and P(finding | disease), float64
                      sources.txt, ends.npy           the source of each figure, in the same order
                      only_in.npy                     the one sex it is stated for, in the same order; see SEXES
                      mass.npy                        float64 [findings], see `mass` below
                      above*.npy, below*.npy          findings broader and narrower than each (`envs.hierarchy.Rows`)
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import fsum, inf
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from envs import hierarchy
from envs.corpus import DiseaseProfile, FindingName
from envs.folders import build_once
from envs.names import NameTable
from medrl.errors import DataError
from medrl.records import read_jsonl, write_json
from medrl.versions import source_digest

Reals = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
#: In whom a figure holds; only_in.npy has places in this tuple.
SEXES = ("", "male", "female")


@dataclass(frozen=True, slots=True)
class Absence:
    """A disease is known not to show a finding: of `examined` patients none did (0: nobody says of how many)."""

    row: int
    examined: int
    source: str


def build_profiles(knowledge: Path, out: Path) -> Path:
    """Write the arrays of `knowledge`/profiles.jsonl and findings.jsonl under `out`, or return the finished ones.

    Raises DataError, also if a profile has a finding that findings.jsonl does not name.
    """
    code = source_digest("envs.profiles", "envs.hierarchy", "envs.corpus")
    digest = hashlib.blake2b(code.encode(), digest_size=8)
    for path in (knowledge / "profiles.jsonl", knowledge / "findings.jsonl"):
        try:
            digest.update(hashlib.blake2b(path.read_bytes()).digest())
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}; build the knowledge folder again") from error
    return build_once(out / f"profiles-{digest.hexdigest()}", lambda folder: _write(knowledge, folder))


def _write(knowledge: Path, folder: Path) -> None:
    profiles = list(read_jsonl(knowledge / "profiles.jsonl", DiseaseProfile))
    findings = list(read_jsonl(knowledge / "findings.jsonl", FindingName))
    if not profiles or not findings:
        raise DataError(f"{knowledge}: profiles.jsonl or findings.jsonl is empty; build the knowledge folder again")
    columns: list[_Column] = [[] for _ in findings]
    column_of = {finding.id: number for number, finding in enumerate(findings)}
    above = _broader(knowledge, findings, column_of)
    below = hierarchy.turned(above)
    absent: list[tuple[int, Absence]] = []
    for row, profile in enumerate(profiles):
        if not 0.0 < profile.prior < inf:
            raise DataError(f"{knowledge}: profile {profile.id}: prior={profile.prior} is no positive number")
        for finding_id, (probability, source) in profile.findings.items():
            if finding_id not in column_of:
                raise DataError(f"{knowledge}: profile {profile.id} has {finding_id}, which findings.jsonl lacks")
            if not 0.0 < probability <= 1.0:
                raise DataError(f"{knowledge}: profile {profile.id} {finding_id}: P={probability} is not in (0, 1]")
            sex = profile.only_in.get(finding_id, "")
            if sex not in SEXES:
                raise DataError(f"{knowledge}: profile {profile.id} {finding_id}: sex {sex!r} is not male or female")
            columns[column_of[finding_id]].append((row, probability, source, SEXES.index(sex)))
        for finding_id, (examined, source) in profile.absent.items():
            if finding_id not in column_of:
                raise DataError(f"{knowledge}: profile {profile.id} lacks {finding_id}, which findings.jsonl has not")
            absent.append((column_of[finding_id], Absence(row, examined, source)))
    entries = [entry for column in columns for entry in column]
    sources = [entry[2].encode() for entry in entries]
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "prior": np.array([profile.prior for profile in profiles], np.float64),
        "indptr": np.cumsum([0, *map(len, columns)]).astype(np.int64),
        "disease": np.array([entry[0] for entry in entries], np.int64),
        "probability": np.array([entry[1] for entry in entries], np.float64),
        "ends": np.cumsum([0, *map(len, sources)]).astype(np.int64),
        "only_in": np.array([entry[3] for entry in entries], np.int8),
    }
    arrays["mass"] = np.array([_mass(columns, column, below[column]) for column in range(len(columns))])
    arrays["above_ends"], arrays["above"] = hierarchy.flat(above)
    arrays["below_ends"], arrays["below"] = hierarchy.flat(below)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "sources.txt").write_bytes(b"".join(sources))
    described = [[each.id, each.name, each.inheritance, each.onset, each.prevalence] for each in profiles]
    write_json(folder / "diseases.json", described)
    write_json(folder / "findings.json", [asdict(finding) for finding in findings])
    write_json(folder / "absent.json", [[column, asdict(absence)] for column, absence in absent])


_Column = list[tuple[int, float, str, int]]


def _mass(columns: Sequence[_Column], column: int, narrower: Sequence[int]) -> float:
    best: dict[int, float] = {}
    for each in (column, *narrower):
        for row, probability, _, _ in columns[each]:
            best[row] = max(best.get(row, 0.0), probability)
    return fsum(best.values())


def _broader(knowledge: Path, findings: Sequence[FindingName], column_of: Mapping[str, int]) -> list[list[int]]:
    for finding in findings:
        unknown = next((each for each in finding.parents if each not in column_of), None)
        if unknown is not None:
            raise DataError(f"{knowledge}: {finding.id} is a kind of {unknown}, which findings.jsonl lacks")
    return hierarchy.ancestors([[column_of[each] for each in finding.parents] for finding in findings])


_ARRAYS = "prior indptr disease probability ends only_in mass above_ends above below_ends below".split()


class Figure(NamedTuple):
    """P(finding | disease) of one disease: the finding's column, its place in the arrays, a place in SEXES."""

    column: int
    place: int
    probability: float
    only_in: int


class ProfileTable:
    """The open arrays, memory-mapped. Diseases are rows, findings columns."""

    def __init__(self, path: Path) -> None:
        """Raises DataError if `path` is not what `build_profiles` returned."""
        try:
            loaded = {name: np.load(path / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
            diseases = json.loads((path / "diseases.json").read_text(encoding="utf-8"))
            text = (path / "findings.json").read_text(encoding="utf-8")
            self.findings = TypeAdapter(list[FindingName]).validate_json(text)
            absent = json.loads((path / "absent.json").read_text(encoding="utf-8"))
            self._sources = path / "sources.txt"
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: unreadable ({error}); delete it to build it again") from error
        self.prior: Reals = np.asarray(loaded["prior"])
        self._indptr: Numbers = loaded["indptr"]
        self._disease: Numbers = loaded["disease"]
        self._probability: Reals = loaded["probability"]
        self._ends: Numbers = loaded["ends"]
        self._only_in: npt.NDArray[np.int8] = loaded["only_in"]
        #: The expected number of diseases, of one patient each, with a finding or a narrower one.
        self.mass: Reals = np.asarray(loaded["mass"])
        self.above = hierarchy.Rows(loaded["above_ends"], loaded["above"])
        self.below = hierarchy.Rows(loaded["below_ends"], loaded["below"])
        self.absent: dict[int, list[Absence]] = defaultdict(list)
        for column, absence in absent:
            self.absent[column].append(Absence(**absence))
        self.ids: list[str] = [each[0] for each in diseases]
        self.names: list[str] = [each[1] for each in diseases]
        self.inheritance: list[frozenset[str]] = [frozenset(each[2]) for each in diseases]
        self.onset: list[frozenset[str]] = [frozenset(each[3]) for each in diseases]
        self.prevalence: list[str] = [each[4] for each in diseases]

    def column(self, finding: int) -> tuple[Numbers, Reals]:
        """The rows that have a finding, ascending, and P(finding | disease) of each."""
        start, stop = self._indptr[finding], self._indptr[finding + 1]
        return self._disease[start:stop], self._probability[start:stop]

    def only_in(self, finding: int) -> npt.NDArray[np.int8]:
        """The one sex that each figure of a column is stated for, as a place in SEXES."""
        return self._only_in[self._indptr[finding] : self._indptr[finding + 1]]

    def source(self, finding: int, row: int) -> str | None:
        """Where P(finding | disease) comes from; None if the disease is not annotated with the finding."""
        start, stop = self._indptr[finding], self._indptr[finding + 1]
        place = start + int(np.searchsorted(self._disease[start:stop], row))
        return None if place == stop or self._disease[place] != row else self.source_at(place)

    def source_at(self, place: int) -> str:
        """Where the figure at a place of the arrays comes from."""
        with self._sources.open("rb") as text:
            text.seek(int(self._ends[place]))
            return text.read(int(self._ends[place + 1] - self._ends[place])).decode()

    def figures(self, row: int) -> list[Figure]:
        """What a disease is annotated with, by finding."""
        order, ends = self._by_disease
        return [
            Figure(
                int(np.searchsorted(self._indptr, place, "right")) - 1,
                int(place),
                float(self._probability[place]),
                int(self._only_in[place]),
            )
            for place in order[ends[row] : ends[row + 1]]
        ]

    @cached_property
    def _by_disease(self) -> tuple[Numbers, Numbers]:
        order = np.argsort(self._disease, kind="stable")
        return order, np.searchsorted(self._disease[order], np.arange(len(self.ids) + 1))

    @cached_property
    def one_sex(self) -> list[str]:
        """The sex that all figures of a disease are stated for; "" where they are not all stated for one."""
        found = [""] * len(self.ids)
        total = np.bincount(self._disease, minlength=len(self.ids))
        for sex, name in enumerate(SEXES[1:], start=1):
            count = np.bincount(self._disease[self._only_in == sex], minlength=len(self.ids))
            for row in np.flatnonzero((count > 0) & (count == total)):
                found[row] = name
        return found

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Disease id -> row."""
        return {disease_id: row for row, disease_id in enumerate(self.ids)}

    @cached_property
    def disease_table(self) -> NameTable:
        """Disease names -> row."""
        return NameTable(zip(self.names, range(len(self.names)), strict=True))

    @cached_property
    def finding_table(self) -> NameTable:
        """Finding ids, names and synonyms -> column."""
        return NameTable(
            (name, column)
            for column, finding in enumerate(self.findings)
            for name in (finding.id, finding.name, *finding.synonyms)
        )
