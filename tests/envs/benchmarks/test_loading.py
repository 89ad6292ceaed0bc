"""Benchmarks from files of our own in the published formats, and from the published files where they are there."""

import base64
import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.benchmarks.item import Item, as_question
from envs.benchmarks.loading import NAMES, load_benchmark
from envs.benchmarks.medbrowsecomp import decode
from envs.benchmarks.scorer import score
from envs.benchmarks.xbench import decrypt
from medrl.errors import ConfigError, DataError
from medrl.matching import Verdict
from medrl.records import write_jsonl
from medrl.types import Entity, Question, Relation

REAL = Path(__file__).parents[4] / "shared" / "data"
needs_medbrowsecomp = pytest.mark.skipif(not (REAL / "medbrowsecomp").is_dir(), reason="MedBrowseComp is not there")
needs_xbench = pytest.mark.skipif(not (REAL / "xbench").is_dir(), reason="XBench is not there")

#: In the published wording, about trials that there are not.
PROMPTS = {
    "ingredient": "For trial NCT00000001, find which ingredient starts with Z. In the format of INGREDIENT: name.",
    "company": "Then, find which company has the latest FDA approval date. In format of COMPANY: name.",
    "patent expiry": "When is its patent expiration date?\nReturn only the date in YYYY format: date: YYYY.",
    "exclusivity date": "When is its exclusivity date?\nIf none, 'DATE: NA', else in format: date: MM-DD-YYYY.",
    "stock price": 'If this company is listed, provide:\n2. The opening stock price\n\nIf not, indicate "NOT LISTED".',
}
ROWS = [
    ("prompt", "gold", "wrong_name"),
    (PROMPTS["ingredient"], "ZETAMAB", "Ingredient"),
    (json.dumps(PROMPTS["company"]), "ZETA INC", "Applicant_Full_Name"),
    (json.dumps(PROMPTS["patent expiry"]), "Aug 3, 2031", "Patent"),
    (PROMPTS["exclusivity date"], "NA", "Exclusivity_Date"),
    (PROMPTS["exclusivity date"], "Sep 1, 2030", "Exclusivity_Date"),
    (PROMPTS["stock price"], "Not_Listed", "Open_on_Approval"),
    (PROMPTS["stock price"], "20.12999916", "Open_on_Approval"),
    (PROMPTS["stock price"], "", "Open_on_Approval"),
]


def encoded(cell: str) -> str:
    return base64.b64encode("".join(chr(ord(char) + 3) for char in cell).encode()).decode()


def encrypted(text: str, canary: str) -> str:
    key = canary.encode()
    return base64.b64encode(bytes(byte ^ key[i % len(key)] for i, byte in enumerate(text.encode()))).decode()


def write_csv(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path.write_text(text.getvalue() + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["plain", "encoded"])
def test_medbrowsecomp(tmp_path: Path, form: str) -> None:
    rows = ROWS if form == "plain" else [tuple(map(encoded, row)) for row in ROWS]
    items = load_benchmark("medbrowsecomp", write_csv(tmp_path / "x.csv", rows)).items
    assert [(item.task, item.hops, item.is_na, item.aliases) for item in items] == [
        ("ingredient", 1, False, ()),
        ("company", 2, False, ()),
        ("patent expiry", 3, False, ("2031",)),
        ("exclusivity date", 4, True, ()),
        ("exclusivity date", 4, False, ()),
        ("stock price", 5, True, ()),
        ("stock price", 5, False, ("20.13",)),
        ("stock price", 5, True, ()),
    ]
    assert [item.prompt for item in items[:3]] == [PROMPTS["ingredient"], PROMPTS["company"], PROMPTS["patent expiry"]]
    assert items[5].answer == "Not Listed" and items[7].answer == "NA"
    assert len({item.id for item in items}) == len(items)


def test_what_medbrowsecomp_asks_for_is_right_when_it_is_given_so(tmp_path: Path) -> None:
    items = load_benchmark("medbrowsecomp", write_csv(tmp_path / "x.csv", ROWS)).items
    right = ("INGREDIENT: Zetamab", "COMPANY: Zeta", "date: 2031", "DATE: NA", "date: 09-01-2030", "NOT LISTED")
    assert [score(item, said).verdict for item, said in zip(items, right, strict=False)] == [Verdict.CORRECT] * 6
    wrong = ("INGREDIENT: Zidovudine", "COMPANY: Eta", "date: 2032", "date: 2031", "date: 01-09-2030", "ZETA, $20")
    assert [score(item, said).verdict for item, said in zip(items, wrong, strict=False)] == [Verdict.INCORRECT] * 6


@given(st.text())
def test_cells_come_back(text: str) -> None:
    text = "".join(char for char in text if ord(char) < 0xD000)
    assert decode(encoded(text)) == text


@given(st.text(), st.text(min_size=1, alphabet=st.characters(codec="utf-8")))
def test_what_was_encrypted_comes_back(text: str, canary: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert decrypt(encrypted(text, canary), canary) == text


def xbench_rows(canary: str = "CANARY") -> list[tuple[str, ...]]:
    asked = [("7", "塔有多高？", "5.9米"), ("8", "Who?", "Jane Roe")]
    header = ("id", "prompt", "answer", "reference_steps", "canary")
    cells = [(number, encrypted(q, canary), encrypted(a, canary), encrypted("?", canary)) for number, q, a in asked]
    return [header, *((*each, canary) for each in cells)]


def test_xbench(tmp_path: Path) -> None:
    items = load_benchmark("xbench", write_csv(tmp_path / "x.csv", xbench_rows())).items
    assert items == (
        Item("xbench-7", "xbench", "塔有多高？", "5.9米"),
        Item("xbench-8", "xbench", "Who?", "Jane Roe"),
    )


def gaia_line(task_id: str, answer: object, file_name: str = "", **changed: object) -> str:
    row = {"task_id": task_id, "Question": f"Question {task_id}?", "Level": 1, "Final answer": answer}
    return json.dumps({**row, "file_name": file_name, "Annotator Metadata": {"Steps": "1."}, **changed})


def test_gaia(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("The answer lies in Ghent.", encoding="utf-8")
    (tmp_path / "long.txt").write_text("x" * 20_001, encoding="utf-8")
    (tmp_path / "latin.csv").write_bytes(b"\xe9\xff")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    lines = [
        gaia_line("a", "3"),
        gaia_line("b", 17, Level="2"),
        gaia_line("c", "Ghent", "notes.txt", Level=3),
        *(gaia_line(f"out{number}", "1", name) for number, name in enumerate(("photo.png", "latin.csv", "long.txt"))),
        gaia_line("gone", "1", "gone.txt"),
        gaia_line("outside", "1", f"../{tmp_path.name}/notes.txt"),
        gaia_line("secret", "?"),
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for path in (tmp_path, tmp_path / "metadata.jsonl"):
        loaded = load_benchmark("gaia", path)
        assert [(item.id, item.answer, item.level) for item in loaded.items] == [
            ("a", "3", 1),
            ("b", "17", 2),
            ("c", "Ghent", 3),
        ]
        assert loaded.items[2].prompt.endswith("The file notes.txt reads:\nThe answer lies in Ghent.")
        assert loaded.left_out == {
            "its attachment is no text": 2,
            "its attachment is too long": 1,
            "its attachment is not there": 2,
            "its answer is secret": 1,
        }


def question(number: int, split: str) -> Question:
    gene, disease = Entity("g", "FBN1", "gene"), Entity("d", "Marfan syndrome", "disease")
    relation = Relation(disease, "caused_by", gene)
    return Question(f"q{number}", "Which gene?", "FBN1", ("fibrillin 1",), 1, "genetics", split, (relation,))  # type: ignore[arg-type]


def test_our_own_questions_are_the_held_out_ones(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "questions.jsonl", [question(1, "train"), question(2, "heldout"), question(3, "heldout")])
    for path in (tmp_path, tmp_path / "questions.jsonl"):
        items = load_benchmark("heldout", path).items
        assert items == tuple(
            Item(each, "heldout", "Which gene?", "FBN1", ("fibrillin 1",), task="gene", hops=1) for each in ("q2", "q3")
        )
    write_jsonl(tmp_path / "questions.jsonl", [question(1, "train")])
    with pytest.raises(DataError, match="none of its 1 questions is held out"):
        load_benchmark("heldout", tmp_path)


def test_an_item_is_played_as_a_question_without_a_chain() -> None:
    played = as_question(Item("i", "gaia", "What?", "3", ("three",), level=2))
    assert (played.id, played.text, played.answer, played.aliases) == ("i", "What?", "3", ("three",))
    assert (played.split, played.relations, played.hops, played.specialty) == ("heldout", (), 0, "gaia")


def test_only_the_first(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", ROWS)
    whole = load_benchmark("medbrowsecomp", path).items
    assert load_benchmark("medbrowsecomp", path, 3).items == whole[:3]
    assert load_benchmark("medbrowsecomp", path, 300).items == whole
    with pytest.raises(ConfigError, match="give 1 or more"):
        load_benchmark("medbrowsecomp", path, 0)
    with pytest.raises(ConfigError, match="no benchmark is called bench: give one of medbrowsecomp, gaia"):
        load_benchmark("bench", path)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("medbrowsecomp", "prompt,gold\n", "no rows"),
        ("medbrowsecomp", "a,b\nc,d\n", "its columns are a, b; give MedBrowseComp's CSV with prompt and gold"),
        ("medbrowsecomp", "name,question\nc,d\n", "its columns are name, question; give"),
        ("medbrowsecomp", "a\x07,b\nc,d\n", "neither plain nor encoded as published"),
        ("medbrowsecomp", f"{encoded('prompt')},{encoded('gold')}\nc,d\n", "neither plain nor encoded as published"),
        ("medbrowsecomp", f"{encoded('a')},{encoded('b')}\n{encoded('c')},{encoded('d')}\n", "its columns are a, b"),
        ("medbrowsecomp", "prompt,gold\nq\n", "row 2 has 1 cells, the header 2"),
        ("xbench", "id,prompt\n1,2\n", "no column answer, canary"),
        ("xbench", "id,prompt,answer,canary\n1,???,a,k\n", "row 1 cannot be decrypted"),
        ("xbench", "id,prompt,answer,canary\n1,QUJD,QUJD,\n", "row 1 cannot be decrypted .the canary is empty"),
        ("xbench", "\n".join(",".join(row) for row in [*xbench_rows(), xbench_rows()[1]]), "xbench-7 is there twice"),
        ("gaia", "not json\n", ":1: no JSON"),
        ("gaia", '{"task_id": "a"}\n', ":1: Question: Field required"),
        ("gaia", gaia_line("a", "3", Level=4), ":1: Level"),
        ("gaia", gaia_line("a", "?"), "1 left out: its answer is secret.: give the validation set"),
        ("gaia", "", "it is empty"),
        ("heldout", "{}\n", ":1: id: Field required"),
    ],
)
def test_a_bad_file_is_refused_and_says_what_to_do(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / "bad"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said) as caught:
        load_benchmark(name, path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_no_file_and_no_text(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_benchmark(name, tmp_path / "gone")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00\n\x00")
    with pytest.raises(DataError):
        load_benchmark(name, tmp_path / "bytes")


@needs_medbrowsecomp
def test_the_published_fifty() -> None:
    path = REAL / "medbrowsecomp" / "final50_cell_combo_shift3_b64.csv"
    items = load_benchmark("medbrowsecomp", path).items
    assert Counter(item.task for item in items) == dict.fromkeys(PROMPTS, 10)
    assert Counter(item.hops for item in items) == dict.fromkeys(range(1, 6), 10)
    assert [item.task for item in items if item.is_na] == ["stock price"] * 2
    assert sum(score(item, "NA").verdict is Verdict.CORRECT for item in items) == 2
    assert all(score(item, item.answer).verdict is Verdict.CORRECT for item in items)
    assert all(item.prompt[0].isalpha() and "\\n" not in item.prompt for item in items)
    assert all(score(item, item.prompt).verdict is Verdict.INCORRECT for item in items)


@needs_xbench
def test_the_published_hundred() -> None:
    items = load_benchmark("xbench", REAL / "xbench" / "DeepSearch-2505.csv").items
    assert len(items) == 100
    assert all(score(item, item.answer).verdict is Verdict.CORRECT for item in items)
    assert not any(score(item, item.prompt).verdict is Verdict.CORRECT for item in items)
    others = [(item, other) for item in items[::3] for other in items[::3] if item.answer != other.answer]
    assert sum(score(item, other.answer).verdict is Verdict.CORRECT for item, other in others) <= len(others) // 100
