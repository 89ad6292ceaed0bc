"""The Orange Book from small files, and from the FDA's own where they are there."""

import asyncio
from collections import defaultdict
from pathlib import Path

import pytest

from envs.corpus import Document
from envs.sources.orange_book import OrangeBook
from medrl.errors import DataError
from tests.envs.asking import VECTOR

REAL = Path(__file__).parents[4] / "shared" / "data" / "medbrowsecomp"

PRODUCTS = """\
Ingredient~DF;Route~Trade_Name~Applicant~Strength~Appl_Type~Appl_No~Product_No~TE_Code~Approval_Date~RLD~RS~Type~\
Applicant_Full_Name
DEXMEDETOMIDINE HYDROCHLORIDE~INJECTABLE;INJECTION~PRECEDEX~HOSPIRA~EQ 0.1MG BASE/ML~N~021038~001~AP~Dec 17, 1999~Yes~\
Yes~RX~HOSPIRA INC
DEXMEDETOMIDINE HYDROCHLORIDE~INJECTABLE;INJECTION~PRECEDEX~HOSPIRA~EQ 0.2MG BASE/ML~N~021038~002~~Mar 13, 2013~No~\
No~RX~HOSPIRA INC
LITHIUM CARBONATE~TABLET;ORAL~LITHIUM~ACME~300MG~A~018558~001~~Approved Prior to Jan 1, 1982~No~No~DISCN~ACME INC
SEMAGLUTIDE~SOLUTION;SUBCUTANEOUS~OZEMPIC~NOVO~2MG/1.5ML~N~209637~001~~Dec 5, 2017~Yes~Yes~RX~NOVO NORDISK INC
"""
PATENTS = """\
Appl_Type~Appl_No~Product_No~Patent_No~Patent_Expire_Date_Text~Drug_Substance_Flag~Drug_Product_Flag~Patent_Use_Code~\
Delist_Flag~Submission_Date
N~021038~001~8455527~Jan 4, 2032~~~U-421~~
N~021038~002~8455527~Jan 4, 2032~~~U-421~~
N~209637~001~8129343*PED~Jun 5, 2032~Y~Y~~Y~Jan 2, 2018
"""
EXCLUSIVITIES = """\
Appl_Type~Appl_No~Product_No~Exclusivity_Code~Exclusivity_Date
N~021038~001~NPP~Dec 16, 2025
N~021038~002~NPP~Dec 16, 2025
N~999999~001~ODE-1~Feb 1, 2030
"""


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in {"products": PRODUCTS, "patent": PATENTS, "exclusivity": EXCLUSIVITIES, **files}.items():
        (folder / f"{name}.txt").write_text(text)
    return folder


@pytest.fixture
def book(tmp_path: Path) -> OrangeBook:
    return OrangeBook.open(write(tmp_path / "book"), tmp_path / "cache")


def search(book: OrangeBook, query: str, k: int = 3) -> list[Document]:
    return [each.document for each in asyncio.run(book.candidates(query, VECTOR, k))]


def test_an_application_becomes_a_document(book: OrangeBook) -> None:
    document = asyncio.run(book.document("OrangeBook:N021038"))
    assert document == Document(
        "OrangeBook:N021038",
        "PRECEDEX: dexmedetomidine hydrochloride (N021038)",
        (
            "Ingredient: dexmedetomidine hydrochloride.",
            "Applicant: HOSPIRA INC.",
            "Product 001: PRECEDEX EQ 0.1MG BASE/ML, injectable (injection); approved 1999-12-17; marketed as RX; "
            "therapeutic equivalence AP; reference listed drug.",
            "Product 002: PRECEDEX EQ 0.2MG BASE/ML, injectable (injection); approved 2013-03-13; marketed as RX.",
            "Patent 8455527 expires 2032-01-04, use U-421; products 001, 002.",
            "Exclusivity NPP until 2025-12-16; products 001, 002.",
        ),
        "orange_book",
        "",
        ("N021038",),
        ("approval",),
        "",
        "2013-03-13",
        "https://www.accessdata.fda.gov/scripts/cder/ob/results_product.cfm?Appl_Type=N&Appl_No=021038",
    )


@pytest.mark.parametrize(
    ("query", "id"),
    [
        ("Precedex", "OrangeBook:N021038"),
        ("semaglutide", "OrangeBook:N209637"),
        ("021038", "OrangeBook:N021038"),
        ("What is application N021038?", "OrangeBook:N021038"),
        ("Which drug is protected by patent 8129343?", "OrangeBook:N209637"),
        ("When does the exclusivity of ozempic expire?", "OrangeBook:N209637"),
        ("dexmedetomidine injection by Hospira", "OrangeBook:N021038"),
        ("ode-1", "OrangeBook:N999999"),
    ],
)
def test_it_is_found_by_names_numbers_and_words(book: OrangeBook, query: str, id: str) -> None:
    assert search(book, query)[0].id == id


def test_what_stands_in_one_file_alone(book: OrangeBook) -> None:
    unlisted = asyncio.run(book.document("OrangeBook:N999999"))
    assert unlisted is not None
    assert unlisted.title == "Application whose products are not listed (N999999)"
    assert unlisted.sections == ("Exclusivity ODE-1 until 2030-02-01; product 001.",)
    old = asyncio.run(book.document("OrangeBook:A018558"))
    assert old is not None and "approved Approved Prior to Jan 1, 1982" not in old.text
    assert "approved prior to Jan 1, 1982" in old.text
    assert old.sections[-1] == "No unexpired patent or exclusivity is listed."
    ped = asyncio.run(book.document("OrangeBook:N209637"))
    assert ped is not None and ped.sections[-1] == (
        "Patent 8129343 expires 2032-06-05, with six months of paediatric exclusivity, on the substance, on the "
        "product, its removal was asked for; product 001."
    )


def test_nothing_found(book: OrangeBook) -> None:
    assert search(book, "xyzzy") == [] and search(book, "?!") == [] and search(book, "semaglutide", 1)
    for other in ("PMID:7", "semaglutide", "OrangeBook:N1", "N021038"):
        assert asyncio.run(book.document(other)) is None


def test_it_is_indexed_once_and_again_when_a_file_changes(tmp_path: Path) -> None:
    folder, cache = write(tmp_path / "book"), tmp_path / "cache"
    OrangeBook.open(folder, cache)
    built = sorted(each.name for each in cache.iterdir())
    OrangeBook.open(folder, cache)
    assert sorted(each.name for each in cache.iterdir()) == built
    write(folder, patent=PATENTS.replace("2032", "2033"))
    document = asyncio.run(OrangeBook.open(folder, cache).document("OrangeBook:N021038"))
    assert document is not None and "2033-01-04" in document.text


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"patent": "<html>\n"}, r"patent.txt:1: no column Appl_Type; fetch them from fda.gov"),
        ({"patent": ""}, r"patent.txt:1: no column Appl_Type"),
        ({"products": PRODUCTS + "A~B\n"}, r"products.txt:6: 2 cells under a header of 14"),
        (
            {name: text.splitlines()[0] for name, text in (("products", PRODUCTS), ("patent", PATENTS))}
            | {"exclusivity": EXCLUSIVITIES.splitlines()[0]},
            "no application in its files",
        ),
    ],
    ids=["html", "empty", "a short row", "no rows"],
)
def test_files_that_are_none_are_refused(files: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        OrangeBook.open(write(tmp_path / "book", **files), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "book")
    (tmp_path / "book" / "exclusivity.txt").unlink()
    with pytest.raises(DataError, match=r"exclusivity.txt: No such file .*; fetch them from fda.gov"):
        OrangeBook.open(tmp_path / "book", tmp_path / "cache")


@pytest.mark.skipif(not REAL.is_dir(), reason="the FDA's files are not here")
def test_the_files_of_the_fda(tmp_path: Path) -> None:
    """Every patent of the real file is found by its number, with its date; a slow reading of the file is the oracle."""
    folder = write(
        tmp_path / "book",
        patent=(REAL / "orange_book_patent.txt").read_text(),
        exclusivity=(REAL / "orange_book_exclusivity.txt").read_text(),
    )
    book = OrangeBook.open(folder, tmp_path / "cache")
    holders: defaultdict[str, set[str]] = defaultdict(set)
    for line in (REAL / "orange_book_patent.txt").read_text().splitlines()[1:]:
        kind, number, _, patent, *_ = line.split("~")
        holders[patent.removesuffix("*PED")].add(f"OrangeBook:{kind}{number}")
    for patent, ids in list(holders.items())[::100]:
        found = search(book, f"Which drug has patent {patent}?", 20)[: len(ids)]
        assert {each.id for each in found} == ids if len(ids) <= 20 else {each.id for each in found} <= ids
        assert all(f"Patent {patent} expires 20" in each.text for each in found)
    precedex = asyncio.run(book.document("OrangeBook:N021038"))
    assert precedex is not None and "Exclusivity NPP until 2025-12-16; products 001, 002" in precedex.text
