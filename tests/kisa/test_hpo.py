from pathlib import Path

import pytest

from kisa.sources.hpo import FILES, content_hash, locate, read_ontology
from medrl.errors import DataError


def test_reads_terms_annotations_and_genes(folder: Path) -> None:
    ontology = read_ontology(folder)
    assert ontology.release == "2025-01-16"
    term = ontology.terms["HP:1000001"]
    assert (term.name, term.parents, term.lay) == ("Blue sclera", ["HP:0000478"], ["Skyish whites of the eyes"])
    assert term.definition == 'A "blue sclera" is described. It is seen.'
    male = next(row for row in ontology.annotations if row.sex)
    assert (male.disease, male.onset, male.sex, male.curated) == ("OMIM:1", "HP:0003577", "MALE", "2019-02-03")
    assert [row.term for row in ontology.annotations if row.negated] == ["HP:1000002"]
    assert ontology.genes == {"NCBIGene:11": "AAA1", "NCBIGene:22": "BBB2", "NCBIGene:33": "CCC3"}
    assert len(ontology.links) == 4


def _edit(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("hp.obo", "format-version: 1.2", "{}", "no OBO file"),
        ("hp.obo", "name: Heart murmur\n", "", "HP:1000005 has no name"),
        ("hp.obo", "is_a: HP:0001507", "is_a: HP:9999999", "HP:9999999, which is not in the file"),
        ("hp.obo", "name: Tall stature\n", "name: Tall stature\nis_a: HP:1000002\n", "ancestor of itself"),
        ("phenotype.hpoa", "hpo_id", "term", "the header is not that of phenotype.hpoa"),
        ("phenotype.hpoa", "\t3/7\t", "\t3 of 7\t", "frequency '3 of 7'"),
        ("phenotype.hpoa", "\tNOT\t", "\tNEVER\t", "qualifier 'NEVER'"),
        ("phenotype.hpoa", "HP:1000006", "HP:7777777", "HP:7777777 is not in hp.obo"),
        ("phenotype.hpoa", "\tPMID:1\tPCS", "\tPMID:1", "11 columns, expected 12"),
        ("genes_to_phenotype.txt", "33\tCCC3", "x\tCCC3", "not a gene id"),
        ("genes_to_phenotype.txt", "OMIM:3", "OMIM:333", "OMIM:333, which genes_to_phenotype.txt links"),
    ],
)
def test_malformed_files_are_refused_by_name(folder: Path, name: str, old: str, new: str, says: str) -> None:
    _edit(folder, name, old, new)
    with pytest.raises(DataError) as caught:
        read_ontology(folder)
    message = str(caught.value)
    assert says in message
    assert "fetch the three files" in message and "\n" not in message


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_inside_a_line_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match=f"{name}.*middle of a line"):
        read_ontology(folder)


@pytest.mark.parametrize("name", FILES)
def test_empty_and_binary_files_are_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    with pytest.raises(DataError, match=name):
        read_ontology(folder)
    (folder / name).write_bytes(b"\xff\xfe\x00rubbish\n")
    with pytest.raises(DataError, match=f"{name}.*not UTF-8"):
        read_ontology(folder)


def test_an_ontology_cut_between_terms_is_found_by_its_annotations(folder: Path) -> None:
    path = folder / "hp.obo"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("[Term]\nid: HP:1000004")], encoding="utf-8")
    with pytest.raises(DataError, match="not in hp.obo"):
        read_ontology(folder)


def test_locate_names_what_is_missing(folder: Path) -> None:
    assert locate(str(folder)) == folder
    (folder / "hp.obo").unlink()
    with pytest.raises(DataError, match="hp.obo missing"):
        locate(str(folder))


def test_content_hash_sees_every_file(folder: Path) -> None:
    seen = {content_hash(folder)}
    for name in FILES:
        path = folder / name
        path.write_bytes(path.read_bytes() + b"\n")
        seen.add(content_hash(folder))
    assert len(seen) == 4
