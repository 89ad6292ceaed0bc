"""The sources that a configuration names."""

from pathlib import Path

from envs.sources.base import Source
from envs.sources.clinical_trials import ClinicalTrials
from envs.sources.openfda import OpenFDA
from envs.sources.orange_book import OrangeBook
from envs.sources.pubmed import PubMed
from medrl.sections.knowledge import KnowledgeConfig
from medrl.sections.sources import SourceName


def open_sources(config: KnowledgeConfig) -> tuple[Source, ...]:
    """In the order of `config.sources`. Asks nothing of the network. Raises ConfigError, DataError."""
    return tuple(_open(name, config) for name in dict.fromkeys(config.sources))


def _open(name: SourceName, config: KnowledgeConfig) -> Source:
    match name:
        case "pubmed":
            return PubMed(config.addresses.pubmed.rstrip("/"), config.network)
        case "openfda":
            return OpenFDA(config.addresses.openfda.rstrip("/"), config.network)
        case "clinical_trials":
            return ClinicalTrials(config.addresses.clinical_trials.rstrip("/"), config.network)
        case "orange_book":
            assert config.orange_book is not None  # the configuration sees to it
            return OrangeBook.open(Path(config.orange_book).expanduser(), Path(config.cache).expanduser())
