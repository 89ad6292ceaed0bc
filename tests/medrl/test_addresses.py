"""Addresses in a configuration: what may be one, and that nothing of another is shown."""

import pytest

from medrl.config import parse
from medrl.errors import ConfigError

SECRET = "hunter2"


def test_no_network_is_asked_by_default() -> None:
    knowledge = parse({"name": "x"}, "recipe").knowledge
    assert knowledge.sources == () and knowledge.web.provider == "local" and knowledge.orange_book is None


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@example.org",
        f"https://{SECRET}@example.org",
        f"https://example.org/?api_key={SECRET}",
        f"https://example.org/#{SECRET}",
        f"ftp://example.org/{SECRET}",
        f"{SECRET}",
        f"https:///{SECRET}",
        f"https://example.org/{SECRET} x",
        "",
    ],
)
@pytest.mark.parametrize("place", ["addresses", "web"])
def test_what_is_no_bare_address_is_refused_unseen(url: str, place: str) -> None:
    section = {"pubmed": url} if place == "addresses" else {"provider": "searxng", "url": url}
    said = (
        rf"^recipe: knowledge.{place}: {'pubmed' if place == 'addresses' else 'url'} (is no address|holds a password)"
    )
    with pytest.raises(ConfigError, match=said) as caught:
        parse({"name": "x", "knowledge": {place: section}}, "recipe")
    assert SECRET not in str(caught.value)


def test_the_local_provider_has_none() -> None:
    with pytest.raises(ConfigError, match=r"knowledge.web: url: the provider local asks nobody; set provider"):
        parse({"name": "x", "knowledge": {"web": {"url": "http://127.0.0.1:8888"}}}, "recipe")


def test_searxng_wants_an_address() -> None:
    with pytest.raises(ConfigError, match=r"knowledge.web: searxng has no address of its own"):
        parse({"name": "x", "knowledge": {"web": {"provider": "searxng"}}}, "recipe")


def test_a_source_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"knowledge.sources"):
        parse({"name": "x", "knowledge": {"sources": ["medline"]}}, "recipe")
