from pathlib import Path

import pytest

from kisa.build import build_graph
from kisa.graph import KnowledgeGraph
from kisa.sources.hpo import read_ontology
from tests.kisa.ontology import write_ontology


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_ontology(tmp_path / "ontology")


@pytest.fixture
def graph(folder: Path) -> KnowledgeGraph:
    return build_graph(read_ontology(folder))
