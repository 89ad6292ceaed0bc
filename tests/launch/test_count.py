import errno
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from kisa.build import build_graph
from kisa.counted_files import CorpusFile, CountedFile, count_file, find_files
from kisa.counting import count_batch
from kisa.entities import countable, frequency_of
from kisa.extraction import DictionaryExtractor, graph_names
from kisa.knowledge import load_frequencies
from kisa.mentions import Name
from kisa.sources.hpo import read_ontology
from launch import cli
from launch import count as command
from tests.kisa.corpora import write_documents, write_pubmed, write_pubtator
from tests.kisa.ontology import write_ontology

TEXTS = [
    "Alpha disease with long fingers",
    "Beta syndrome, AAA1 and BBB2; skyish whites of the eyes",
    "nothing",
    "Heart murmur in alpha disease (AD). AD again",
]


@pytest.fixture
def ontology(tmp_path: Path) -> Path:
    return write_ontology(tmp_path / "ontology")


@pytest.fixture
def corpus(tmp_path: Path) -> list[Path]:
    return [
        write_pubmed(tmp_path / "a.xml.gz", TEXTS),
        write_pubtator(tmp_path / "b.txt", TEXTS[:2]),
        write_documents(tmp_path / "c.jsonl", TEXTS[1:]),
        write_pubmed(tmp_path / "d.xml", TEXTS * 3),
    ]


class Loop:
    """In place of the pool of workers: one file after the other, here. `ends_after`: as many, then Ctrl-C."""

    def __init__(self, ends_after: int | None = None) -> None:
        self.counted: list[str] = []
        self._ends_after = ends_after

    def __call__(self, files: Sequence[CorpusFile], names: Sequence[Name], workers: int) -> Iterator[CountedFile]:
        find = DictionaryExtractor(names).extract
        for number, file in enumerate(files):
            if number == self._ends_after:
                raise KeyboardInterrupt
            self.counted.append(Path(file.path).name)
            yield count_file(find, file)


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(command, "connected", lambda cores: nullcontext())
    monkeypatch.setattr(command, "default_workers", lambda: 1)
    monkeypatch.setattr(command, "aside", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(command, "count_files", Loop())
    return monkeypatch


def run(corpus: list[Path], ontology: Path, to: Path, *more: str) -> int:
    return cli.main(["count", *map(str, corpus), "--ontology", str(ontology), "--to", str(to), *more])


def test_what_is_written_is_what_one_loop_over_all_documents_counts(
    corpus: list[Path],
    ontology: Path,
    tmp_path: Path,
    without_ray: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    to = tmp_path / "out" / "frequencies.json"
    assert run(corpus, ontology, to) == 0
    graph = build_graph(read_ontology(ontology))
    halves = [f"{text[: len(text) // 2]} {text[len(text) // 2 :]}" for text in TEXTS[:2]]
    texts = [*TEXTS, *halves, *(f"{text}." for text in TEXTS[1:]), *TEXTS * 3]
    expected = frequency_of(countable(graph), count_batch(DictionaryExtractor(graph_names(graph)).extract, texts))
    assert load_frequencies(tmp_path, str(to)) == load_frequencies(to.parent) == expected
    assert expected.mentions["OMIM:1"] == 4 + 4 + 1 + 1 and 0 in expected.mentions.values()
    shown = capsys.readouterr()
    assert "documents/s" in shown.out
    assert f"21 documents in 4 files, {sum(map(len, texts))} characters" in shown.out
    named = [count for count in expected.mentions.values() if count]
    assert f"{sum(named)} mentions, of {len(named)} of {len(expected.mentions)} entities" in shown.out
    assert "records left out: nothing" in shown.out
    assert "percentile 25" in shown.out and "21 documents, so the least frequency is 4.8e-02" in shown.out
    assert shown.out.endswith(f"{to}\n")
    assert "count: 21/21 document [" in shown.err
    assert [path.name for path in to.parent.iterdir()] == ["frequencies.json"]


def test_interrupted_anywhere_it_counts_every_file_once(
    corpus: list[Path], ontology: Path, tmp_path: Path, without_ray: pytest.MonkeyPatch
) -> None:
    assert run(corpus, ontology, tmp_path / "whole.json") == 0
    to = tmp_path / "torn.json"
    counted: list[str] = []
    for ends_after in (0, 1, 2, None):
        loop = Loop(ends_after)
        without_ray.setattr(command, "count_files", loop)
        assert run(corpus, ontology, to) == (0 if ends_after is None else 130)
        assert to.exists() == (ends_after is None)
        counted += loop.counted
    assert counted == ["a.xml.gz", "b.txt", "c.jsonl", "d.xml"]
    assert to.read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert not list(tmp_path.glob("*.counted"))


def test_what_was_counted_is_not_gone_on_with_if_its_file_or_the_names_changed(
    corpus: list[Path], ontology: Path, tmp_path: Path, without_ray: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "torn.json"
    without_ray.setattr(command, "count_files", Loop(ends_after=3))
    assert run(corpus, ontology, to) == 130
    write_pubtator(corpus[1], TEXTS)
    loop = Loop(ends_after=1)
    without_ray.setattr(command, "count_files", loop)
    assert run(corpus, ontology, to) == 130
    assert loop.counted == ["b.txt"]
    terms = ontology / "hp.obo"
    terms.write_text(terms.read_text().replace("Skyish whites", "Blue whites"))
    loop = Loop()
    without_ray.setattr(command, "count_files", loop)
    assert run(corpus, ontology, to) == 0
    assert loop.counted == ["a.xml.gz", "b.txt", "c.jsonl", "d.xml"]
    assert load_frequencies(tmp_path, str(to)).documents == 23


def test_what_is_broken_is_named_and_the_rest_counts(
    corpus: list[Path],
    ontology: Path,
    tmp_path: Path,
    without_ray: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    corpus[0].write_bytes(corpus[0].read_bytes()[:-9])
    corpus[2].write_text(corpus[2].read_text() + "{}\n")
    write_pubmed(corpus[3], ["", *TEXTS])
    assert run(corpus, ontology, tmp_path / "f.json") == 0
    shown = capsys.readouterr().out
    assert "records left out: 1 records with no document in it, 1 records with no title\n" in shown
    assert f"  {corpus[0]}: cut off" in shown and "fetch it again" in shown
    assert f"  {corpus[2]}: left out 1 with no document in it (first: line 4, id: Field required)\n" in shown
    assert f"  {corpus[3]}: left out 1 with no title (first: PMID 1)\n" in shown
    assert load_frequencies(tmp_path, str(tmp_path / "f.json")).documents >= 2 + 3 + 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.csv"], "a.csv: its format is not known; give PubMed"),
        (["none.xml"], "none.xml: No such file or directory; give files that are there"),
        (["a.xml", "--ontology", "nowhere"], "nowhere: hp.obo"),
        (["empty.xml"], "there is no document in these files"),
        (["a.xml", "--to", "a.xml/f.json"], "a.xml/f.json: "),
        (["a.xml", "--to", "."], "a folder; give --to the name of a file"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_code_2(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    ontology: Path,
    without_ray: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    without_ray.chdir(tmp_path)
    write_pubmed(tmp_path / "a.xml", TEXTS)
    write_pubmed(tmp_path / "empty.xml", [])
    (tmp_path / "a.csv").write_text("a,b")
    chosen = [] if "--ontology" in arguments else ["--ontology", str(ontology)]
    assert cli.main(["count", *arguments, *chosen]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("medrl: ") and said in last
    assert not (tmp_path / "frequencies.json").exists()


@pytest.mark.parametrize("workers", ["0", "-1", "two"])
def test_no_workers_are_none(workers: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["count", "a.xml", "--workers", workers])
    assert ended.value.code == 2 and "give 1 or more" in capsys.readouterr().err


def test_a_full_disk_is_said_and_what_was_counted_stays(
    corpus: list[Path],
    ontology: Path,
    tmp_path: Path,
    without_ray: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    to = tmp_path / "f.json"
    without_ray.setattr(command, "write_frequencies", full)
    assert run(corpus, ontology, to) == 2
    assert capsys.readouterr().err.endswith(
        f"medrl: {to}: No space left on device; mend that and give the same command again, or another --to\n"
    )
    without_ray.undo()
    assert find_files(corpus) and run(corpus, ontology, to) == 0  # needs no Ray: every file is counted
    assert load_frequencies(tmp_path, str(to)).documents == 21
