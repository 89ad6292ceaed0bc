"""PharmacotherapyDB: which drug treats which disease."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kisa.sources.skipped import Skipped
from kisa.sources.text_lines import table_rows

_COLUMNS = ("doid_id", "drugbank_id", "disease", "drug", "category", "n_curators", "n_resources")
#: Disease modifying, symptomatic, no indication.
CATEGORIES = {"DM": "disease modifying", "SYM": "symptomatic", "NOT": "not indicated"}


@dataclass(frozen=True, slots=True)
class Indication:
    """`category`: a key of CATEGORIES; `resources`: how many sources list the pair."""

    disease_id: str
    disease: str
    drug_id: str
    drug: str
    category: str
    resources: int


def read_indications(path: Path, skipped: Skipped) -> Iterator[Indication]:
    """Yield the table's pairs; a malformed row goes to `skipped`. Raises DataError if it is another table."""
    for number, cells in table_rows(path, _COLUMNS):
        where = f"line {number}"
        if len(cells) != len(_COLUMNS):
            skipped.add(f"other than {len(_COLUMNS)} columns", where)
            continue
        disease_id, drug_id, disease, drug, category, _, resources = cells
        if not all((disease_id, drug_id, disease, drug)):
            skipped.add("an empty name or identifier", where)
        elif category not in CATEGORIES:
            skipped.add("an unknown category", where)
        elif not resources.isdigit():
            skipped.add("a count that is no number", where)
        else:
            yield Indication(disease_id, disease, drug_id, drug, category, int(resources))
