"""What the tools' tests share: one encoder and one small knowledge folder, built once."""

from pathlib import Path

import pytest
from hypothesis import settings

from envs.profiles import ProfileTable, build_profiles
from envs.retrieval.embedding import PACKAGED, Encoder, encoder_path
from envs.retrieval.index import Index, build_index
from tests.envs.small import write_knowledge

# Examples share their cores with whatever else runs: a slow one is no failure.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return Encoder(encoder_path(PACKAGED))


@pytest.fixture(scope="session")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_knowledge(tmp_path_factory.mktemp("knowledge"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def index(knowledge: Path, cache: Path) -> Index:
    return Index.open(build_index(knowledge / "corpus.jsonl", cache, PACKAGED))


@pytest.fixture(scope="session")
def web(knowledge: Path, cache: Path) -> Index:
    return Index.open(build_index(knowledge / "web.jsonl", cache, None))


@pytest.fixture(scope="session")
def table(knowledge: Path, cache: Path) -> ProfileTable:
    return ProfileTable(build_profiles(knowledge, cache))
