import gzip
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from kisa import counted_files
from kisa.counted_files import CorpusFile, CountedFile, count_file, counting_key, find_files
from kisa.counting import Counts, count_batch
from kisa.mentions import Dictionary, Name
from medrl.errors import DataError
from tests.kisa.corpora import NAMES, write_documents, write_pubmed, write_pubtator

TEXTS = ["Marfan syndrome at p<0.05", "FBN1 and FBN1", "no name", "Ectopia lentis, MFS1"]
FIND = Dictionary(NAMES).find


def counted(path: Path) -> CountedFile:
    (file,) = find_files([path])
    return count_file(FIND, file)


@pytest.mark.parametrize(
    ("name", "write", "shown"),
    [
        ("a.xml", write_pubmed, "{}"),
        ("a.xml.gz", write_pubmed, "{}"),
        ("a.txt", write_pubtator, None),
        ("a.jsonl", write_documents, "{}."),  # a document's text is its title and a full stop
    ],
)
def test_every_format_gives_the_documents_that_are_in_it(
    tmp_path: Path, name: str, write: Callable[[Path, list[str]], Path], shown: str | None
) -> None:
    texts = [
        f"{text[: len(text) // 2]} {text[len(text) // 2 :]}" if shown is None else shown.format(text) for text in TEXTS
    ]
    expected = count_batch(FIND, texts)
    done = counted(write(tmp_path / name, TEXTS))
    assert done.counts == expected and expected.documents == 4 and expected.mentions["gene"] == 1
    assert done.notes == ()
    adapter = TypeAdapter(CountedFile)
    assert adapter.validate_json(adapter.dump_json(done)) == done


def test_a_malformed_record_is_left_out_counted_and_named_with_its_file(tmp_path: Path) -> None:
    documents = write_documents(tmp_path / "a.jsonl", TEXTS)
    lines = documents.read_text().splitlines()
    documents.write_text("\n".join([lines[0], "{}", lines[1], "no json", *lines[2:]]) + "\n")
    done = counted(documents)
    assert done.counts.documents == 4 and done.counts.skipped == {"no document in it": 2}
    assert done.notes == (f"{documents}: left out 2 with no document in it (first: line 2, id: Field required)",)
    citations = write_pubmed(tmp_path / "a.xml", ["FBN1", " ", "FBN1"])
    done = counted(citations)
    assert (done.counts.documents, done.counts.mentions, done.counts.skipped) == (2, {"gene": 2}, {"no title": 1})
    assert done.notes == (f"{citations}: left out 1 with no title (first: PMID 2)",)


@pytest.mark.parametrize("name", ["a.xml.gz", "a.jsonl.gz", "a.jsonl"])
def test_a_file_that_is_cut_off_is_named_and_counts_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    # Each text differs, else the unpacked stream would break off before the packed one is half read.
    texts = [f"FBN1 {number * 7919 % 10007}" for number in range(5000)]
    if "xml" in name:
        write_pubmed(path, texts)
    else:
        write_documents(path, texts)
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(path.read_bytes()))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    done = counted(path)
    assert 0 < done.counts.documents < 5000
    assert done.counts.mentions == {"gene": done.counts.documents}
    (note,) = done.notes
    assert note.startswith(f"{path}:") and note.endswith("fetch it again") and "\n" not in note


def test_a_file_that_is_none_of_its_format_counts_nothing_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<html/>")
    done = counted(path)
    assert done.counts == Counts() and done.notes == (f"{path}: its root is <html>, not <PubmedArticleSet>",)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.csv", "its format is not known; give PubMed"),
        ("a.gz", "its format is not known"),
        ("a", "its format is not known"),
        ("none.xml", "No such file or directory; give files that are there"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_one_line(tmp_path: Path, name: str, said: str) -> None:
    if name != "none.xml":
        (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=f"^{tmp_path / name}: {said}") as raised:
        find_files([write_pubmed(tmp_path / "b.xml", TEXTS), tmp_path / name])
    assert "\n" not in str(raised.value)


def test_a_file_named_twice_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pubmed(tmp_path / "a.xml", TEXTS)
    (tmp_path / "link.xml").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    found = find_files([path, Path("a.xml"), Path("./a.xml"), Path("link.xml")])
    assert found == [CorpusFile(str(path), path.stat().st_size, path.stat().st_mtime_ns)]


def test_a_file_that_is_not_the_one_that_was_found_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pubmed(tmp_path / "a.xml", TEXTS)
    (file,) = find_files([path])
    os.utime(path, ns=(1, 1))
    with pytest.raises(DataError, match="not the file that was found at first"):
        count_file(FIND, file)
    path.unlink()
    with pytest.raises(DataError, match="No such file"):
        count_file(FIND, file)
    (file,) = find_files([write_pubmed(path, TEXTS)])

    def changing(find: object, texts: object) -> Counts:
        write_pubmed(path, TEXTS * 2)
        return Counts()

    monkeypatch.setattr(counted_files, "count_batch", changing)
    with pytest.raises(DataError, match="not the file that was found at first"):
        count_file(FIND, file)


def test_memory_is_that_of_a_document_whatever_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("w") as file:
        for number in range(150):
            title = f"FBN1 {number} " + "word " * 20_000  # 100 kB
            file.write(json.dumps({"id": "x", "title": title, "sections": [], "source": "web", "evidence": ""}) + "\n")
    counted(write_pubmed(tmp_path / "warm.xml", TEXTS))
    (found,) = find_files([path])
    tracemalloc.start()
    try:
        # Not read for names: folding a text takes many times its size, and is done for one text at a time.
        done = count_file(lambda text: (), found)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert done.counts.documents == 150
    assert peak < 3e6 < done.file.size / 4


def test_the_key_is_of_the_names_and_of_nothing_that_changes_by_itself() -> None:
    assert counting_key(NAMES) == counting_key(list(NAMES))
    changed = [NAMES[:-1], [*NAMES, Name("x", "y")], [*NAMES[:2], NAMES[2]._replace(exact=False), *NAMES[3:]]]
    assert len({counting_key(names) for names in (NAMES, *changed)}) == 4
