"""The FDA's Orange Book: approved drugs with their patents and exclusivities, from files that the user downloaded.

    products.txt, patent.txt, exclusivity.txt     `~` between cells, a header line; fda.gov/media/76860/download

A document is an application with all its products; patents and exclusivities name the products they hold for.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from envs.corpus import Document
from envs.folders import build_once
from envs.names import NameTable
from envs.retrieval.embedding import Floats
from envs.retrieval.index import Index, build_index
from envs.sources.base import Candidate
from envs.sources.dates import iso_date
from envs.tools.web_search import LocalProvider
from medrl.errors import DataError
from medrl.records import write_json, write_jsonl
from medrl.versions import source_digest

_PRODUCTS = ("Ingredient", "DF;Route", "Trade_Name", "Strength", "Appl_Type", "Appl_No", "Product_No", "Approval_Date")
_PATENTS = ("Appl_Type", "Appl_No", "Product_No", "Patent_No", "Patent_Expire_Date_Text", "Patent_Use_Code")
_EXCLUSIVITIES = ("Appl_Type", "Appl_No", "Product_No", "Exclusivity_Code", "Exclusivity_Date")
_GET_THEM = "fetch them from fda.gov/media/76860/download and unpack them"
_PAEDIATRIC = "*PED"

_NUMBER = re.compile(r"\b(?:[AN]?\d{6}|D?\d{7,8}|RE\d{5})\b", re.IGNORECASE | re.ASCII)

Row = dict[str, str]
Rows = dict[str, list[Row]]


class OrangeBook:
    """The source `orange_book`; ids are "OrangeBook:N021038". It needs no network."""

    name = "orange_book"

    def __init__(self, index: Index, names: NameTable) -> None:
        self._index = index
        self._names = names
        self._ranked = LocalProvider(index)

    @classmethod
    def open(cls, folder: Path, cache: Path) -> "OrangeBook":
        """Index the three files of `folder` under `cache`, or open the finished index of the same bytes.

        Raises DataError if a file is missing or malformed."""
        built = build_once(cache / f"orange-book-{contents_digest(folder)}", lambda out: _write(folder, out))
        try:
            names = TypeAdapter(list[tuple[str, int]]).validate_json((built / "names.json").read_bytes())
        except (OSError, ValidationError) as error:
            raise DataError(f"{built}: unreadable; delete it to build it again") from error
        return cls(Index.open(build_index(built / "corpus.jsonl", cache, None)), NameTable(names))

    async def candidates(self, query: str, vector: Floats, k: int) -> list[Candidate]:
        """Those called by the query, or whose number or patent is in it; then by BM25."""
        named = [self._names.find(query), *map(self._names.find, _NUMBER.findall(query))]
        rows = dict.fromkeys(row for each in named for row in each)
        found = [self._index.document(row) for row in list(rows)[:k]]
        ids = {each.id for each in found}
        found += [each for each in await self._ranked.search(query, k) if each.id not in ids]
        return [Candidate(each) for each in found[:k]]

    async def document(self, id: str) -> Document | None:
        """The application with this id."""
        rows = self._index.find(id)
        document = self._index.document(rows[0]) if rows else None
        return document if document is not None and document.id == id else None


def contents_digest(folder: Path) -> str:
    """A hash of the three files and of the source of what reads them. Raises DataError if one is missing."""
    code = source_digest("envs.sources.orange_book", "envs.sources.dates", "envs.corpus")
    digest = hashlib.blake2b(code.encode(), digest_size=8)
    for name in ("products.txt", "patent.txt", "exclusivity.txt"):
        try:
            digest.update(hashlib.blake2b((folder / name).read_bytes()).digest())
        except OSError as error:
            raise DataError(f"{folder / name}: {error.strerror}; {_GET_THEM}") from error
    return digest.hexdigest()


def _write(folder: Path, out: Path) -> None:
    products = _by_application(read_table(folder / "products.txt", _PRODUCTS))
    patents = _by_application(read_table(folder / "patent.txt", _PATENTS))
    exclusivities = _by_application(read_table(folder / "exclusivity.txt", _EXCLUSIVITIES))
    applications = sorted(products.keys() | patents.keys() | exclusivities.keys())
    if not applications:
        raise DataError(f"{folder}: no application in its files; {_GET_THEM}")
    documents = []
    names: list[tuple[str, int]] = []
    for row, number in enumerate(applications):
        parts = products.get(number, []), patents.get(number, []), exclusivities.get(number, [])
        documents.append(application_document(number, *parts))
        names += [(name, row) for name in _names(number, parts[0], parts[1])]
    write_jsonl(out / "corpus.jsonl", documents)
    write_json(out / "names.json", names)


def read_table(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """The rows, cells by the name of their column. Raises DataError if the header lacks one of `columns`, or a row has
    another number of cells than the header."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; {_GET_THEM}") from error
    header = [cell.strip() for cell in lines[0].removeprefix("\ufeff").split("~")] if lines else []
    if missing := [column for column in columns if column not in header]:
        raise DataError(f"{path}:1: no column {missing[0]}; {_GET_THEM}")
    for number, line in enumerate(lines[1:], start=2):
        cells = [cell.strip() for cell in line.split("~")]
        if len(cells) != len(header):
            if not line.strip():
                continue
            raise DataError(f"{path}:{number}: {len(cells)} cells under a header of {len(header)}; {_GET_THEM}")
        yield dict(zip(header, cells, strict=True))


def _by_application(rows: Iterable[Row]) -> Rows:
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["Appl_Type"] + row["Appl_No"]].append(row)
    return dict(grouped)


def _names(number: str, products: list[Row], patents: list[Row]) -> Iterator[str]:
    """What an application is found by: its number, names of its products, its patents."""
    yield from (number, number[1:])
    for product in products:
        yield from (product["Trade_Name"], product["Ingredient"])
    for patent in patents:
        yield patent["Patent_No"].removesuffix(_PAEDIATRIC)


def application_document(number: str, products: list[Row], patents: list[Row], exclusivities: list[Row]) -> Document:
    """An application: `number` with its type ("N021038"), and its rows in the three files."""
    traded = _listed(each["Trade_Name"] for each in products)
    ingredients = _listed(each["Ingredient"].lower() for each in products)
    called = f"{traded}: {ingredients}" if products else "Application whose products are not listed"
    applicants = _listed(each.get("Applicant_Full_Name") or each.get("Applicant", "") for each in products)
    sections = [f"Ingredient: {ingredients}."] if products else []
    sections += [f"Applicant: {applicants.rstrip('.')}."] if applicants else []
    sections += [_product(each) for each in products]
    for told, numbers in _together((_patent(each), each["Product_No"]) for each in patents):
        sections.append(f"{told}; {numbers}.")
    for told, numbers in _together((_exclusivity(each), each["Product_No"]) for each in exclusivities):
        sections.append(f"{told}; {numbers}.")
    if not patents and not exclusivities:
        sections.append("No unexpired patent or exclusivity is listed.")
    return Document(
        id=f"OrangeBook:{number}",
        title=f"{called} ({number})",
        sections=tuple(sections),
        source="orange_book",
        evidence="",
        references=(number,),
        kinds=("approval",),
        date=max((iso_date(each["Approval_Date"]) for each in products), default=""),
        url=f"https://www.accessdata.fda.gov/scripts/cder/ob/results_product.cfm?Appl_Type={number[0]}&Appl_No={number[1:]}",
    )


def _product(product: Row) -> str:
    form, _, route = product["DF;Route"].partition(";")
    told = [f"{product['Strength']}, {form.lower()}" + (f" ({route.lower()})" if route else "")]
    told.append(f"approved {_date(product['Approval_Date']).replace('Approved Prior', 'prior')}")
    told += [f"marketed as {product['Type']}"] if product.get("Type") else []
    told += [f"therapeutic equivalence {product['TE_Code']}"] if product.get("TE_Code") else []
    told += ["reference listed drug"] if product.get("RLD") == "Yes" else []
    return f"Product {product['Product_No']}: {product['Trade_Name']} {'; '.join(told)}."


def _patent(patent: Row) -> str:
    number = patent["Patent_No"]
    told = [f"Patent {number.removesuffix(_PAEDIATRIC)} expires {_date(patent['Patent_Expire_Date_Text'])}"]
    told += ["with six months of paediatric exclusivity"] if number.endswith(_PAEDIATRIC) else []
    told += ["on the substance"] if patent.get("Drug_Substance_Flag") == "Y" else []
    told += ["on the product"] if patent.get("Drug_Product_Flag") == "Y" else []
    told += [f"use {patent['Patent_Use_Code']}"] if patent["Patent_Use_Code"] else []
    told += ["its removal was asked for"] if patent.get("Delist_Flag") == "Y" else []
    return ", ".join(told)


def _exclusivity(exclusivity: Row) -> str:
    return f"Exclusivity {exclusivity['Exclusivity_Code']} until {_date(exclusivity['Exclusivity_Date'])}"


def _together(told: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Each thing told once, with all the products it was told of."""
    numbers: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for each, number in told:
        numbers[each].setdefault(number)
    for each, of in numbers.items():
        yield each, f"product{'s' * (len(of) > 1)} {', '.join(of)}"


def _date(text: str) -> str:
    """In figures; as it stands where it is no date ("Approved Prior to Jan 1, 1982")."""
    return iso_date(text) or text


def _listed(names: Iterable[str]) -> str:
    return ", ".join(filter(None, dict.fromkeys(names)))
