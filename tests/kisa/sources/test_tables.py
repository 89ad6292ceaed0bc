"""PubTator, drug indications, Hetionet and PrimeKG: small files as their publishers write them."""

import gzip
from pathlib import Path

import pytest

from kisa.sources.indications import read_indications
from kisa.sources.network_tables import Node, read_hetionet, read_primekg
from kisa.sources.pubtator import Mention, read_pubtator
from kisa.sources.skipped import Skipped
from medrl.errors import DataError

PUBTATOR = """7|t|Methyl dopa and depression.
7|a|Depression followed.
7\t0\t11\tMethyl dopa\tChemical\tD008750
7\t16\t26\tdepression\tDisease\tD003866
7\t28\t38\tDepression\tDisease\t-1
7\tCID\tD008750\tD003866

8|t|Another.
8|a|
8\t0\t7\tanother\tDisease\tD1
8\t0\tx\tAnother\tDisease\tD1
9\t0\t7\tAnother\tDisease\tD1
"""


def test_pubtator(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(PUBTATOR)
    skipped = Skipped(path)
    first, second = read_pubtator(path, skipped)
    assert first.mentions == [
        Mention(0, 11, "Methyl dopa", "Chemical", "D008750"),
        Mention(16, 26, "depression", "Disease", "D003866"),
        Mention(28, 38, "Depression", "Disease", ""),
    ]
    assert all(first.text[each.start : each.end] == each.text for each in first.mentions)
    assert first.relations == [("CID", "D008750", "D003866")]
    assert second.pmid == "8" and not second.mentions
    assert skipped.count == 3 and skipped.first["offsets that do not show the mention"] == "line 10"


HEADER = "doid_id\tdrugbank_id\tdisease\tdrug\tcategory\tn_curators\tn_resources\n"


def test_indications(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.gz"
    good, unnamed, odd = (f"DOID:1\tDB1\tgout\t{rest}\t2\t4\n" for rest in ("Allopurinol\tDM", "\tDM", "X\tODD"))
    rows = f"{good}{unnamed}{odd}short\n"
    path.write_bytes(gzip.compress((HEADER + rows).encode()))
    skipped = Skipped(path)
    (pair,) = read_indications(path, skipped)
    assert (pair.drug, pair.disease, pair.category, pair.resources) == ("Allopurinol", "gout", "DM", 4)
    assert skipped.count == 3 and len(skipped.reasons) == 3
    path.write_bytes(gzip.compress((HEADER + rows * 9999).encode())[:-9])
    with pytest.raises(DataError, match=r"a.tsv.gz: unreadable after line \d+ .*fetch it again"):
        list(read_indications(path, skipped))
    other = tmp_path / "b.tsv"
    other.write_text("drug\tdisease\n")
    with pytest.raises(DataError, match="b.tsv:1: the header is not doid_id drugbank_id"):
        list(read_indications(other, skipped))


def test_hetionet(tmp_path: Path) -> None:
    nodes, edges = tmp_path / "nodes.tsv", tmp_path / "edges.sif.gz"
    nodes.write_text("id\tname\tkind\nGene::1\tA1BG\tGene\nDisease::DOID:2\tgout\tDisease\nbroken\n")
    edges.write_bytes(
        gzip.compress(
            b"source\tmetaedge\ttarget\nGene::1\tDaG\tDisease::DOID:2\nGene::9\tDaG\tDisease::DOID:2\n\tDaG\t\n"
        )
    )
    skipped = Skipped(edges)
    (edge,) = read_hetionet(nodes, edges, skipped)
    assert edge.subject == Node("Gene::1", "A1BG", "Gene") and edge.predicate == "DaG" and edge.object.name == "gout"
    assert skipped.count == 3


def test_primekg(tmp_path: Path) -> None:
    path = tmp_path / "kg.csv"
    path.write_text(
        "relation,display_relation,x_index,x_id,x_type,x_name,x_source,y_index,y_id,y_type,y_name,y_source\n"
        'indication,indication,1,DB1,drug,"Acid, uric",DrugBank,2,77,disease,gout,MONDO\n'
        "indication,indication,1,DB1,drug,,DrugBank,2,77,disease,gout,MONDO\n"
        "indication,indication,1\n"
    )
    skipped = Skipped(path)
    (edge,) = read_primekg(path, skipped)
    assert edge.subject == Node("DrugBank:DB1", "Acid, uric", "drug") and edge.object.id == "MONDO:77"
    assert skipped.reasons == {"an empty cell": 1, "other than 12 columns": 1} and "line 3" in skipped.describe()
    path.write_text("x,y\n")
    with pytest.raises(DataError, match="not that of PrimeKG"):
        list(read_primekg(path, skipped))
