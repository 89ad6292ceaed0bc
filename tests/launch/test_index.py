"""`medrl index`: what it builds, shows and refuses."""

from pathlib import Path

import numpy as np
import pytest

from envs.corpus import Document
from envs.folders import build_once
from envs.retrieval.authority import parts
from envs.sources.disk import DiskIndex, write_disk_index
from envs.tools.medical_retriever import Hit
from launch import cli
from launch.index import render
from medrl.records import write_jsonl
from tests.envs.small import DOCUMENTS

CITATIONS = """<?xml version="1.0"?><PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>11</PMID><Article>
<Journal><JournalIssue><PubDate><Year>2019</Year></PubDate></JournalIssue><Title>Journal of Tests</Title></Journal>
<ArticleTitle>Aortic surgery.</ArticleTitle><Abstract><AbstractText>It helps. It is safe.</AbstractText></Abstract>
<PublicationTypeList><PublicationType>Practice Guideline</PublicationType></PublicationTypeList></Article>
<MeshHeadingList><MeshHeading><DescriptorName>Aorta</DescriptorName></MeshHeading></MeshHeadingList>
</MedlineCitation></PubmedArticle></PubmedArticleSet>"""


def test_files_of_both_kinds_become_one_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(tmp_path / "some.jsonl", DOCUMENTS)
    with (tmp_path / "some.jsonl").open("a") as lines:
        lines.write('{"id": "no document"}\n')
    (tmp_path / "pubmed.xml").write_text(CITATIONS)
    files = [str(tmp_path / "some.jsonl"), str(tmp_path / "pubmed.xml")]
    assert cli.main(["index", "build", *files, "--to", str(tmp_path / "new"), "--no-vectors"]) == 0
    shown = capsys.readouterr().out
    assert "left out 1 with no document in it (first: line 13, title: Field required)" in shown
    assert "13 documents" in shown
    index = DiskIndex.open(tmp_path / "new")
    assert [index.row(row) for row in range(len(DOCUMENTS))] == DOCUMENTS
    assert index.row(12) == Document(
        "PMID:11",
        "Aortic surgery",
        ("It helps.", "It is safe.", "Topics: Aorta.", "Published in Journal of Tests, 2019."),
        "pubmed",
        "",
        ("PMID:11",),
        ("practice guideline",),
        "Journal of Tests",
        "2019",
        "https://pubmed.ncbi.nlm.nih.gov/11/",
    )
    assert cli.main(["index", "show", str(tmp_path / "new")]) == 0
    assert "13 documents" in capsys.readouterr().out
    assert cli.main(["index", "build", *files, "--to", str(tmp_path / "new")]) == 2
    assert "there already; delete it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nowhere"], "nowhere: no index; `medrl index build CORPUS --to nowhere`"),
        (["build", "a.csv", "--to", "new"], "a.csv: its format is not known"),
        (["build", "a.jsonl", "--no-vectors", "--to", "new"], "a.jsonl: no such file; give files of the corpus"),
        (["build", "a.jsonl", "--encoder", "nowhere", "--to", "new"], "knowledge.encoder='nowhere'"),
        (["build", ".", "--to", "new"], ".: a folder; give the files in it"),
    ],
)
def test_what_the_user_can_mend(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["index", *arguments]) == 2
    shown = capsys.readouterr().err
    assert f"medrl: {said}" in shown and list(tmp_path.iterdir()) == []


def test_a_hit_shows_all_that_its_score_is_made_of() -> None:
    hit = Hit(DOCUMENTS[4], 0.75, 0.5, 0.94, 0.6, 0.4, "pubmed", parts(DOCUMENTS[4]))
    assert render(1, hit).splitlines() == [
        "[1] Wolf-Hirschhorn syndrome (DECIPHER:1) (DECIPHER:1)",
        "    0.750: relevance 0.500 (cosine 0.600, coverage 0.400), authority 0.940 (strength IEA −0.04, source "
        "decipher −0.02)",
    ]


def test_a_query_needs_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(tmp_path / "some.jsonl", DOCUMENTS)
    folder = str(tmp_path / "new")
    assert cli.main(["index", "build", str(tmp_path / "some.jsonl"), "--to", folder, "--no-vectors"]) == 0
    for query in ("???", ""):
        capsys.readouterr()
        assert cli.main(["index", "show", folder, query]) == 2
        assert f"medrl: {query!r} has no words to look for" in capsys.readouterr().err


def test_an_index_is_shown_by_the_encoder_it_was_built_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_once(tmp_path / "new", lambda out: write_disk_index(DOCUMENTS, out, lambda b: np.eye(len(b), 8), "another"))
    assert cli.main(["index", "show", str(tmp_path / "new"), "lens"]) == 2
    assert "its vectors are of another encoder" in capsys.readouterr().err
    assert cli.main(["index", "show", str(tmp_path / "new"), "lens", "--encoder", "nowhere"]) == 2
    assert "knowledge.encoder='nowhere'" in capsys.readouterr().err
