"""The pool of workers as it is, on Ray; `test_count.py` has the command around it."""

import itertools
import random
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

from actors.session import connected
from kisa.counted_files import CorpusFile, CountedFile, find_files
from kisa.counting import Counts, count_batch
from kisa.extraction import DictionaryExtractor
from launch import cli, corpus_counting
from launch.corpus_counting import count_files, default_workers
from medrl.errors import ConfigError, DataError, Stalled
from tests.kisa.corpora import NAMES, WORDS, write_documents, write_pubmed, write_pubtator
from tests.kisa.ontology import write_ontology

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def session() -> Iterator[None]:
    with connected(2):
        yield


def random_texts(count: int, seed: int = 0, words: int = 12) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=words)) for _ in range(count)]


def by_hand(texts: Sequence[str]) -> Counts:
    return count_batch(DictionaryExtractor(NAMES).extract, texts)


def total(counted: Sequence[CountedFile]) -> Counts:
    return sum((each.counts for each in counted), Counts())


@pytest.mark.parametrize("workers", [1, 2])
def test_any_split_into_files_counts_what_one_loop_counts(session: None, tmp_path: Path, workers: int) -> None:
    texts = random_texts(400)
    expected = by_hand(texts)
    assert set(expected.mentions) == {"marfan", "gene", "lens"}
    for edges in ([0, 400], [0, 1, 399, 400], [0, 0, 50, 100, 150, 300, 310, 400]):
        paths = []
        for number, (start, end) in enumerate(itertools.pairwise(edges)):
            suffix = random.Random(number).choice(["xml", "xml.gz"])
            paths.append(write_pubmed(tmp_path / f"{len(edges)}-{number}.{suffix}", texts[start:end]))
        files = find_files(paths)
        counted = list(count_files(files, NAMES, workers))
        assert {each.file for each in counted} == set(files) and len(counted) == len(files)
        assert total(counted) == expected


def test_formats_mix_and_what_is_broken_or_malformed_is_named(session: None, tmp_path: Path) -> None:
    torn = write_pubmed(tmp_path / "torn.xml.gz", random_texts(3000))
    torn.write_bytes(torn.read_bytes()[:-200])
    odd = write_documents(tmp_path / "odd.jsonl", random_texts(5, seed=1))
    odd.write_text(odd.read_text() + "{}\n")
    whole = write_pubtator(tmp_path / "whole.txt", random_texts(7, seed=2))
    counted = {Path(each.file.path).name: each for each in count_files(find_files([torn, odd, whole]), NAMES, 2)}
    assert counted["torn.xml.gz"].notes[0].startswith(f"{torn}: cut off") and len(counted["torn.xml.gz"].notes) == 1
    assert 1000 < counted["torn.xml.gz"].counts.documents < 3000
    left_out = f"{odd}: left out 1 with no document in it (first: line 6, id: Field required)"
    assert counted["odd.jsonl"].notes == (left_out,)
    assert (counted["odd.jsonl"].counts.documents, counted["odd.jsonl"].counts.skipped) == (5, {"no document in it": 1})
    assert counted["whole.txt"].counts.documents == 7 and counted["whole.txt"].notes == ()


def test_workers_that_are_killed_change_no_count(session: None, tmp_path: Path) -> None:
    """SIGKILL to one worker after the first file and to one after the third, while each is in the middle of a file."""
    texts = random_texts(3000, words=60)
    files = find_files(write_documents(tmp_path / f"{number}.jsonl", texts * 5) for number in range(8))
    counted: list[CountedFile] = []
    killed = []
    for done in count_files(files, NAMES, 2):
        counted.append(done)
        if len(counted) in (1, 3):
            victim = max(map_workers(), key=lambda process: process.cpu_percent(0.2))
            assert victim.status() != psutil.STATUS_ZOMBIE
            victim.send_signal(signal.SIGKILL)
            killed.append(victim.pid)
    assert len(set(killed)) == 2
    assert sorted(each.file.path for each in counted) == sorted(file.path for file in files)
    one = by_hand([f"{text}." for text in texts * 5])
    assert all(each.counts == one for each in counted)


def map_workers() -> list[psutil.Process]:
    """Processes of the pool, which Ray names after their class."""
    return [each for each in psutil.Process().children(recursive=True) if "FileCounter" in " ".join(each.cmdline())]


def test_a_file_that_is_not_there_any_more_is_said_in_one_line(session: None, tmp_path: Path) -> None:
    path = write_pubmed(tmp_path / "a.xml", random_texts(3))
    (file,) = find_files([path])
    changed = CorpusFile(file.path, file.size, file.modified - 1)
    with pytest.raises(DataError, match=f"^{path}: not the file that was found at first; .*$"):
        list(count_files([changed], NAMES, 1))


def test_a_pool_that_finishes_nothing_is_not_waited_for_for_ever(
    session: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline passes before a worker can have started."""
    monkeypatch.setattr(corpus_counting, "_START_S", 0.1)
    path = write_pubmed(tmp_path / "a.xml", random_texts(3))
    with pytest.raises(Stalled, match=f"^no file was finished in 0 s: 1 are left, e.g. {path}$"):
        list(count_files(find_files([path]), NAMES, 1))


def test_more_workers_than_cpus_are_refused(session: None, tmp_path: Path) -> None:
    assert default_workers() == 2
    files = find_files([write_pubmed(tmp_path / "a.xml", random_texts(3))])
    with pytest.raises(ConfigError, match=r"3 workers need 3 CPUs, the cluster has 2: lower --workers"):
        list(count_files(files, NAMES, 3))


def test_the_command_on_a_cluster_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two raylets; the cluster outlives the command, and nothing of Ray Data's is printed."""
    if ray.is_initialized():
        ray.shutdown()
    node = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 128 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(**node)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    try:
        paths = [write_pubmed(tmp_path / f"{n}.xml.gz", ["Alpha disease", "AAA1"] * 50) for n in range(3)]
        to = tmp_path / "frequencies.json"
        ontology = write_ontology(tmp_path / "ontology")
        capfd.readouterr()
        assert cli.main(["count", *map(str, paths), "--ontology", str(ontology), "--to", str(to)]) == 0
        shown = capfd.readouterr()
        assert "300 documents in 3 files" in shown.out and "count: 300/300 document [" in shown.err
        for noise in ("WARNING", "ERROR", "Dataset", "Traceback"):
            assert noise not in shown.err + shown.out, shown.err
        ray.init(cluster.address, configure_logging=False, log_to_driver=False)
        assert len([each for each in ray.nodes() if each["Alive"]]) == 2
    finally:
        ray.shutdown()
        cluster.shutdown()
