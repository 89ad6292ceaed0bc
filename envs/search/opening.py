"""The provider of web search that a configuration names."""

from envs.retrieval.index import Index
from envs.search import serper, tavily
from envs.search.searxng import SearXNG
from envs.tools.web_search import LocalProvider, SearchProvider
from medrl.sections.knowledge import KnowledgeConfig


def open_provider(config: KnowledgeConfig, general: Index) -> SearchProvider:
    """`general`: what the local one searches. Asks nothing of the network. Raises ConfigError."""
    return live_provider(config) or LocalProvider(general)


def live_provider(config: KnowledgeConfig) -> SearchProvider | None:
    """None for the local one. Raises ConfigError, as where a key is missing."""
    url = config.web.url.rstrip("/") if config.web.url else None
    match config.web.provider:
        case "local":
            return None
        case "serper":
            return serper.Serper(url or serper.ADDRESS, config.network)
        case "tavily":
            return tavily.Tavily(url or tavily.ADDRESS, config.network)
        case "searxng":
            assert url is not None  # WebConfig sees to it
            return SearXNG(url, config.network)
