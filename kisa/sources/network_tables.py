"""Whole knowledge graphs as tables: Hetionet's nodes and edges, PrimeKG's one table.

hetionet-v1.0-nodes.tsv   id  name  kind                    Gene::9021  SOCS3  Gene
hetionet-v1.0-edges.sif   source  metaedge  target          Gene::9021  GpBP  Biological Process::GO:0071357
kg.csv (PrimeKG)          relation,display_relation,x_index,x_id,x_type,x_name,x_source,y_index,y_id,...
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kisa.sources.skipped import Skipped
from kisa.sources.text_lines import table_rows, text_lines
from medrl.errors import DataError

_NODE_COLUMNS = ("id", "name", "kind")
_EDGE_COLUMNS = ("source", "metaedge", "target")
_PRIMEKG_COLUMNS = (
    "relation display_relation x_index x_id x_type x_name x_source y_index y_id y_type y_name y_source".split()
)


@dataclass(frozen=True, slots=True)
class Node:
    """`id` is the table's own ("Disease::DOID:1936", "MONDO:8019")."""

    id: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Edge:
    """`predicate` is the table's own: "DrD" (Hetionet's metaedge) or "indication"."""

    subject: Node
    predicate: str
    object: Node


def read_hetionet(nodes: Path, edges: Path, skipped: Skipped) -> Iterator[Edge]:
    """Yield the edges between known nodes; malformed rows go to `skipped`. Raises DataError for another table."""
    known: dict[str, Node] = {}
    for number, cells in table_rows(nodes, _NODE_COLUMNS):
        if len(cells) != 3 or not all(cells):
            skipped.add("a node without id, name and kind", f"{nodes.name} line {number}")
        else:
            known[cells[0]] = Node(*cells)
    for number, cells in table_rows(edges, _EDGE_COLUMNS):
        where = f"{edges.name} line {number}"
        if len(cells) != 3 or not all(cells):
            skipped.add("an edge without source, metaedge and target", where)
        elif cells[0] not in known or cells[2] not in known:
            skipped.add("an edge to a node that is not in the table", where)
        else:
            yield Edge(known[cells[0]], cells[1], known[cells[2]])


def read_primekg(path: Path, skipped: Skipped) -> Iterator[Edge]:
    """Yield the rows of kg.csv; malformed ones go to `skipped`. Raises DataError for another table."""
    rows = csv.reader(f"{line}\n" for _, line in text_lines(path))
    if next(rows, None) != _PRIMEKG_COLUMNS:
        raise DataError(f"{path}:1: the header is not that of PrimeKG's kg.csv")
    nodes: dict[tuple[str, str], Node] = {}  # millions of edges share a hundred thousand nodes

    def node(source: str, identifier: str, name: str, kind: str) -> Node:
        return nodes.setdefault((source, identifier), Node(f"{source}:{identifier}", name, kind))

    try:
        for cells in rows:
            where = f"line {rows.line_num}"
            if len(cells) != len(_PRIMEKG_COLUMNS):
                skipped.add(f"other than {len(_PRIMEKG_COLUMNS)} columns", where)
                continue
            _, predicate, _, x_id, x_type, x_name, x_source, _, y_id, y_type, y_name, y_source = cells
            if not all((predicate, x_id, x_type, x_name, x_source, y_id, y_type, y_name, y_source)):
                skipped.add("an empty cell", where)
            else:
                yield Edge(node(x_source, x_id, x_name, x_type), predicate, node(y_source, y_id, y_name, y_type))
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: {error}") from error
