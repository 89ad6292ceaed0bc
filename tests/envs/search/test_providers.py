"""Web search against a server that answers as the providers do."""

import asyncio
from typing import Any

import pytest

from envs.corpus import Document
from envs.retrieval.index import Index
from envs.search.opening import open_provider
from envs.search.results import to_document
from envs.search.searxng import SearXNG
from envs.search.serper import Serper
from envs.search.tavily import Tavily
from envs.tools.web_search import LocalProvider, SearchProvider, WebSearch
from medrl.errors import ConfigError, ToolOutage
from medrl.sections.knowledge import KnowledgeConfig
from medrl.sections.network import NetworkConfig
from tests.envs.asking import ENDLESS, HASTY, KEY, PASSING, QUICK, at_once
from tests.misbehaving import Asked, Behaviour, MisbehavingServer, answers, raw, status

RESULTS = [
    {
        "title": "Sjögren – a review",
        "url": "https://a.example/x?y=1&z=é",
        "text": "Dry eyes. Dry mouth.",
        "date": "2024",
    },
    {"title": " ", "url": "http://b.example/", "text": "", "date": "2 days ago"},
    {"title": "again", "url": "https://a.example/x?y=1&z=é", "text": "Again.", "date": ""},
    {"title": "a trap", "url": "javascript:alert(1)", "text": "No.", "date": ""},
    {"title": "long", "url": "https://a.example/" + "x" * 400, "text": "No.", "date": ""},
    {"title": "unseen", "url": "https://a.example/\u200b", "text": "No.", "date": ""},
    {"title": "a file", "url": "file:///etc/passwd", "text": "No.", "date": ""},
]
DOCUMENTS = [
    Document(
        "https://a.example/x?y=1&z=é",
        "Sjögren – a review",
        ("Dry eyes.", "Dry mouth."),
        "web",
        "",
        date="2024",
        url="https://a.example/x?y=1&z=é",
    ),
    Document("http://b.example/", "http://b.example/", ("No preview is given.",), "web", "", url="http://b.example/"),
]


def serper(results: list[dict[str, str]]) -> Behaviour:
    organic = [
        {"title": each["title"], "link": each["url"], "snippet": each["text"], "date": each["date"], "position": number}
        for number, each in enumerate(results, start=1)
    ]
    return answers({"searchParameters": {"q": "x", "type": "search"}, "organic": organic, "credits": 1})


def tavily(results: list[dict[str, str]]) -> Behaviour:
    found = [
        {"title": each["title"], "url": each["url"], "content": each["text"], "score": 0.9, "raw_content": None}
        | {"published_date": each["date"]}
        for each in results
    ]
    return answers({"query": "x", "answer": None, "results": found, "response_time": 1.2})


def searxng(results: list[dict[str, str]], unresponsive: list[list[str]] | None = None) -> Behaviour:
    found = [
        {"title": each["title"], "url": each["url"], "content": each["text"] or None, "publishedDate": each["date"]}
        for each in results
    ]
    return answers({"query": "x", "results": found, "unresponsive_engines": unresponsive or []})


SPEAKS = {"serper": serper, "tavily": tavily, "searxng": searxng}


def opened(name: str, url: str, network: NetworkConfig = QUICK) -> SearchProvider:
    return {"serper": Serper, "tavily": Tavily, "searxng": SearXNG}[name](url, network, sleep=at_once)


def search(name: str, server: MisbehavingServer, query: str = "dry eyes", k: int = 9) -> list[Document]:
    return asyncio.run(opened(name, server.url).search(query, k))


@pytest.mark.parametrize("name", SPEAKS)
def test_results_become_documents_each_once_and_only_those_on_the_web(name: str) -> None:
    with MisbehavingServer([SPEAKS[name](RESULTS)]) as server:
        assert search(name, server) == DOCUMENTS
        assert search(name, server, k=1) == DOCUMENTS[:1]


@pytest.mark.parametrize("name", SPEAKS)
def test_nothing_found_is_an_empty_list(name: str) -> None:
    with MisbehavingServer([SPEAKS[name]([])]) as server:
        assert search(name, server) == []
        assert len(server.requests) == 1


def test_what_is_asked() -> None:
    query = 'say "é" \ud800\n& count=1'
    for name, speak in SPEAKS.items():
        with MisbehavingServer([speak([])]) as server:
            search(name, server, query, k=50)
            (asked,) = server.requests
        said = 'say "é" & count=1'
        if name == "serper":
            assert asked.body == {"q": said, "num": 50} and asked.headers["x-api-key"] == KEY
        elif name == "tavily":
            assert asked.body == {"query": said, "max_results": 20}
            assert asked.headers["authorization"] == f"Bearer {KEY}"
        else:
            assert asked.query == {"q": said, "format": "json", "pageno": "1"}
        assert asked.path == "/v1/search" and KEY not in asked.target


def test_serper_says_nothing_of_organic_results_where_there_are_none() -> None:
    with MisbehavingServer([answers({"searchParameters": {"q": "x"}})]) as server:
        assert search("serper", server) == []


def test_what_the_web_says_is_bounded_and_shows_all_of_itself() -> None:
    unseen = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    document = to_document(
        f"a\n[2] b{unseen}\u202e" + " c" * 500, "https://a.example/", f"Dry{unseen}\u200b\neyes.", ""
    )
    assert document is not None and document.sections == ("Dry eyes.",)
    assert document.title.startswith("a [2] b c c") and document.title.endswith("…") and len(document.title) <= 120


def test_searxng_is_asked_page_by_page() -> None:
    def page(asked: Asked) -> Behaviour:
        first = 10 * int(asked.query["pageno"])
        urls = [f"https://a.example/{number}" for number in range(first, first + 10) if number < 35]
        return searxng([{"title": "t", "url": url, "text": "t", "date": ""} for url in urls])

    with MisbehavingServer(page) as server:
        assert [each.id for each in search("searxng", server, k=22)] == [
            f"https://a.example/{n}" for n in range(10, 32)
        ]
        assert len(server.requests) == 3
        assert len(search("searxng", server, k=99)) == 25
        assert len(server.requests) == 3 + 4  # the fourth page has nothing


def test_searxng_without_an_engine_is_an_outage_and_not_empty() -> None:
    down = searxng([], [["google", "timeout"], ["bing", "CAPTCHA"]])
    nobody = "no list of results .none of 2 engines answered it"
    with MisbehavingServer([down]) as server, pytest.raises(ToolOutage, match=nobody):
        search("searxng", server)
    with MisbehavingServer([down, searxng(RESULTS)]) as server:
        assert search("searxng", server, k=2) == DOCUMENTS


@pytest.mark.parametrize("name", SPEAKS)
@pytest.mark.parametrize(("behaviour", "reason"), PASSING, ids=[reason for _, reason in PASSING])
def test_what_may_pass_is_tried_again_and_then_an_outage(name: str, behaviour: Behaviour, reason: str) -> None:
    with MisbehavingServer([behaviour, behaviour, SPEAKS[name](RESULTS)]) as server:
        assert search(name, server, k=2) == DOCUMENTS
    with MisbehavingServer([behaviour]) as server:
        with pytest.raises(ToolOutage, match=rf": {reason}.*\(3 attempts\)$") as caught:
            search(name, server)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("name", SPEAKS)
@pytest.mark.parametrize("behaviour", ENDLESS)
def test_a_deadline(name: str, behaviour: Behaviour) -> None:
    with MisbehavingServer([behaviour]) as server, pytest.raises(ToolOutage, match="no whole answer within 0.3 s"):
        asyncio.run(opened(name, server.url, HASTY).search("dry eyes", 3))


@pytest.mark.parametrize("name", SPEAKS)
@pytest.mark.parametrize(
    "body",
    [b"<html>", b'{"results": [', b"{}", b"[]", b'{"results": [{}], "organic": [{}], "searchParameters": {}}'],
    ids=["html", "truncated", "empty", "a list", "no address"],
)
def test_what_is_no_list_of_results(name: str, body: bytes) -> None:
    with MisbehavingServer([raw(body)]) as server:
        with pytest.raises(ToolOutage, match="answered something that is no list of results"):
            search(name, server)
        assert len(server.requests) == 3


@pytest.mark.parametrize("name", SPEAKS)
@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (status(401, f"bad key {KEY}"), ConfigError),
        (status(403, KEY), ConfigError),
        (status(404, KEY), ConfigError),
        (status(302, Location="http://127.0.0.1:1/"), ConfigError),
        (status(400, KEY), ToolOutage),
        (status(422, KEY), ToolOutage),
    ],
    ids=["401", "403", "404", "302", "400", "422"],
)
def test_refusals(name: str, behaviour: Behaviour, error: type[Exception]) -> None:
    with MisbehavingServer([behaviour]) as server:
        with pytest.raises(error, match=r"HTTP status \d+") as caught:
            search(name, server)
        assert len(server.requests) == 1 and (name == "searxng" or KEY not in str(caught.value))


@pytest.mark.parametrize(("name", "variable"), [("serper", "SERPER_API_KEY"), ("tavily", "TAVILY_API_KEY")])
def test_a_missing_key_is_said_when_it_is_opened(
    name: Any, variable: str, monkeypatch: pytest.MonkeyPatch, web: Index
) -> None:
    config = KnowledgeConfig.model_validate({"web": {"provider": name}})
    assert type(open_provider(config, web)).__name__.lower() == name
    for value in ("", None):
        monkeypatch.setenv(variable, value) if value is not None else monkeypatch.delenv(variable)
        with pytest.raises(ConfigError, match=f"^knowledge.web.provider={name}: put its key .* as {variable}$"):
            open_provider(config, web)
    monkeypatch.setenv(variable, f"{KEY} ")
    with pytest.raises(ConfigError, match="holds a blank") as caught:
        open_provider(config, web)
    assert KEY not in str(caught.value)


def test_the_local_one_is_the_default(web: Index) -> None:
    provider = open_provider(KnowledgeConfig(), web)
    assert isinstance(provider, LocalProvider)
    assert asyncio.run(provider.search("pigeon chest", 1))[0].title == "Pectus carinatum"


def test_the_tool_shows_what_the_web_says(web: Index) -> None:
    with MisbehavingServer([searxng(RESULTS)]) as server:
        config = KnowledgeConfig.model_validate({"web": {"provider": "searxng", "url": server.url + "/"}})
        tool = WebSearch(open_provider(config, web), web.text, 3, 150)
        result = asyncio.run(tool.call({"query": "dry mouth"}))
    assert result.text.startswith("[1] [untrusted text] Sjögren – a review (https://a.example/x?y=1&z=é): Dry mouth.")
    assert result.sources == tuple(each.id for each in DOCUMENTS)
