"""Disease profiles as arrays on disk: P(finding | disease) by finding, with the source of each figure.

<out>/profiles-<hash>/diseases.json, findings.json    ids, names, synonyms, inheritance, onset
                      prior.npy                       float64 [diseases], relative weights
                      indptr.npy, disease.npy,        column i holds the diseases with finding i, ascending,
                      probability.npy                 and P(finding | disease), float64
                      sources.txt, ends.npy           the source of each figure, in the same order
"""

import hashlib
import json
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from envs.corpus import DiseaseProfile, FindingName
from envs.folders import build_once
from envs.names import NameTable
from medrl.errors import DataError
from medrl.records import read_jsonl, write_json

Reals = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


def build_profiles(knowledge: Path, out: Path) -> Path:
    """Write the arrays of `knowledge`/profiles.jsonl and findings.jsonl under `out`, or return the finished ones.

    Raises DataError, also if a profile has a finding that findings.jsonl does not name.
    """
    digest = hashlib.blake2b(digest_size=8)
    for path in (knowledge / "profiles.jsonl", knowledge / "findings.jsonl", Path(__file__)):
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
    columns: list[list[tuple[int, float, str]]] = [[] for _ in findings]
    column_of = {finding.id: number for number, finding in enumerate(findings)}
    for row, profile in enumerate(profiles):
        for finding_id, (probability, source) in profile.findings.items():
            if finding_id not in column_of:
                raise DataError(f"{knowledge}: profile {profile.id} has {finding_id}, which findings.jsonl lacks")
            if not 0.0 < probability <= 1.0:
                raise DataError(f"{knowledge}: profile {profile.id} {finding_id}: P={probability} is not in (0, 1]")
            columns[column_of[finding_id]].append((row, probability, source))
    entries = [entry for column in columns for entry in column]
    sources = [entry[2].encode() for entry in entries]
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "prior": np.array([profile.prior for profile in profiles], np.float64),
        "indptr": np.cumsum([0, *map(len, columns)]).astype(np.int64),
        "disease": np.array([entry[0] for entry in entries], np.int64),
        "probability": np.array([entry[1] for entry in entries], np.float64),
        "ends": np.cumsum([0, *map(len, sources)]).astype(np.int64),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "sources.txt").write_bytes(b"".join(sources))
    write_json(folder / "diseases.json", [[each.id, each.name, each.inheritance, each.onset] for each in profiles])
    write_json(folder / "findings.json", [asdict(finding) for finding in findings])


class ProfileTable:
    """The open arrays, memory-mapped. Diseases are rows, findings columns."""

    def __init__(self, path: Path) -> None:
        """Raises DataError if `path` is not what `build_profiles` returned."""
        try:
            names = ("prior", "indptr", "disease", "probability", "ends")
            loaded = {name: np.load(path / f"{name}.npy", mmap_mode="r") for name in names}
            diseases = json.loads((path / "diseases.json").read_text(encoding="utf-8"))
            text = (path / "findings.json").read_text(encoding="utf-8")
            self.findings = TypeAdapter(list[FindingName]).validate_json(text)
            self._sources = path / "sources.txt"
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: unreadable ({error}); delete it to build it again") from error
        self.prior: Reals = np.asarray(loaded["prior"])
        self._indptr: Numbers = loaded["indptr"]
        self._disease: Numbers = loaded["disease"]
        self._probability: Reals = loaded["probability"]
        self._ends: Numbers = loaded["ends"]
        self.ids: list[str] = [each[0] for each in diseases]
        self.names: list[str] = [each[1] for each in diseases]
        self.inheritance: list[frozenset[str]] = [frozenset(each[2]) for each in diseases]
        self.onset: list[frozenset[str]] = [frozenset(each[3]) for each in diseases]

    def column(self, finding: int) -> tuple[Numbers, Reals]:
        """The rows that have a finding, ascending, and P(finding | disease) of each."""
        start, stop = self._indptr[finding], self._indptr[finding + 1]
        return self._disease[start:stop], self._probability[start:stop]

    def source(self, finding: int, row: int) -> str | None:
        """Where P(finding | disease) comes from; None if the disease is not annotated with the finding."""
        start, stop = self._indptr[finding], self._indptr[finding + 1]
        place = start + int(np.searchsorted(self._disease[start:stop], row))
        if place == stop or self._disease[place] != row:
            return None
        with self._sources.open("rb") as text:
            text.seek(int(self._ends[place]))
            return text.read(int(self._ends[place + 1] - self._ends[place])).decode()

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Disease id -> row."""
        return {disease_id: row for row, disease_id in enumerate(self.ids)}

    @cached_property
    def finding_table(self) -> NameTable:
        """Finding ids, names and synonyms -> column."""
        return NameTable(
            (name, column)
            for column, finding in enumerate(self.findings)
            for name in (finding.id, finding.name, *finding.synonyms)
        )
