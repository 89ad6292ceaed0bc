"""openFDA against a server that speaks as it does: labels by `search`, `limit` and `skip`, reactions by `count`."""

import asyncio
import base64
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.corpus import Document
from envs.sources.openfda import OpenFDA, phrase
from medrl.errors import ConfigError, ToolOutage
from tests.envs.asking import ENDLESS, HASTY, KEY, PASSING, QUICK, VECTOR, at_once
from tests.misbehaving import Asked, Behaviour, MisbehavingServer, answers, raw, status

NOTHING = status(404, '{"error": {"code": "NOT_FOUND", "message": "No matches found!"}}')


def label(number: int, drug: str = "warfarin sodium", **parts: Any) -> dict[str, Any]:
    return {
        "set_id": f"0000-{number}",
        "id": f"version-{number}",
        "effective_time": "20230105",
        "openfda": {
            "brand_name": [f"Brand{number}"],
            "generic_name": [drug.upper()],
            "manufacturer_name": ["Acme Inc."],
            "application_number": ["NDA009218"],
        },
        "indications_and_usage": ["1 INDICATIONS It thins blood. It prevents clots."],
        "boxed_warning": ["It may bleed."],
        "spl_unclassified_section": ["not shown"],
        **parts,
    }


class Agency:
    """Labels that match any search, or only one with `only`; the same reactions for every drug."""

    def __init__(self, labels: list[dict[str, Any]], only: str = "", events: Behaviour | None = None) -> None:
        self._labels = labels
        self._only = only
        reactions = [{"term": "HAEMORRHAGE", "count": 12345}, {"term": "RASH", "count": 7}]
        self._events = events or answers({"meta": {"last_updated": "2024-02-03"}, "results": reactions})

    def __call__(self, asked: Asked) -> Behaviour:
        if asked.path.endswith("/drug/event.json"):
            assert asked.query["count"] == "patient.reaction.reactionmeddrapt.exact"
            return self._events
        assert asked.path.endswith("/drug/label.json")
        matching = self._labels if self._only in asked.query["search"] else []
        if set_id := re.fullmatch(r'set_id:"(.*)"', asked.query["search"]):
            matching = [each for each in matching if each["set_id"] == set_id[1]]
        start, size = int(asked.query["skip"]), int(asked.query["limit"])
        page = matching[start : start + size]
        meta = {"results": {"skip": start, "limit": size, "total": len(matching)}}
        return answers({"meta": meta, "results": page}) if page else NOTHING


def search(server: MisbehavingServer, query: str, k: int, **settings: Any) -> list[Document]:
    source = OpenFDA(server.url, QUICK, sleep=at_once, **settings)
    return [each.document for each in asyncio.run(source.candidates(query, VECTOR, k))]


def read(server: MisbehavingServer, id: str) -> Document | None:
    return asyncio.run(OpenFDA(server.url, QUICK, sleep=at_once).document(id))


def test_a_label_and_what_was_reported_become_documents() -> None:
    with MisbehavingServer(Agency([label(1)])) as server:
        first, second = search(server, "warfarin", 5)
    assert first == Document(
        "openFDA:label:0000-1",
        "Brand1: drug label",
        (
            "Generic name: warfarin sodium.",
            "Manufacturer: Acme Inc.",
            "Application: NDA009218.",
            "Boxed warning: It may bleed.",
            "Indications: 1 INDICATIONS It thins blood.",
            "Indications: It prevents clots.",
        ),
        "openfda",
        "",
        ("NDA009218",),
        ("label",),
        "",
        "2023-01-05",
        "https://dailymed.nlm.nih.gov/dailymed/drugInfo.cfm?setid=0000-1",
    )
    assert (
        second.id == "openFDA:event:warfarin sodium" and second.title == "Adverse events reported for warfarin sodium"
    )
    assert second.sections[:3] == (
        "Most reported: haemorrhage; rash.",
        "Haemorrhage: 12,345 reports.",
        "Rash: 7 reports.",
    )
    assert second.date == "2024-02-03" and second.kinds == ("adverse events",)


def test_both_are_found_again_by_their_ids() -> None:
    with MisbehavingServer(Agency([label(1), label(2)])) as server:
        for document in search(server, "warfarin", 5):
            assert read(server, document.id) == document
        asked = len(server.requests)
        for other in ("PMID:7", "openFDA:label:", 'openFDA:label:x" OR y:"z', "openFDA:event:", 'openFDA:event:" _'):
            assert read(server, other) is None
        assert len(server.requests) == asked
        assert read(server, "openFDA:label:0000-3") is None


def test_pages() -> None:
    labels = [label(number) for number in range(25)]
    with MisbehavingServer(Agency(labels, events=NOTHING)) as server:
        assert [each.id for each in search(server, "warfarin", 22, page=10)] == [
            f"openFDA:label:0000-{number}" for number in range(22)
        ]
        asked = [(each.query["skip"], each.query["limit"]) for each in server.requests if "skip" in each.query]
        assert asked == [("0", "10"), ("10", "10"), ("20", "2")]
    with MisbehavingServer(Agency(labels[:20], events=NOTHING)) as server:
        assert len(search(server, "warfarin", 30, page=10)) == 20  # the third page is a 404
    with MisbehavingServer(Agency([label(1), label(1), label(2)])) as server:
        ids = [each.id for each in search(server, "warfarin", 9)]
        assert ids == ["openFDA:label:0000-1", "openFDA:event:warfarin sodium", "openFDA:label:0000-2"]


def test_never_more_than_asked_for() -> None:
    with MisbehavingServer(Agency([label(number) for number in range(9)])) as server:
        assert len(search(server, "warfarin", 3)) == 3 and len(search(server, "warfarin", 1)) == 1


def test_nothing_found_is_an_empty_list() -> None:
    with MisbehavingServer([NOTHING]) as server:
        assert search(server, "xyzzy plugh", 3) == []
        assert len(server.requests) == 2  # all words, then any
        assert search(server, "!?", 3) == []
        assert len(server.requests) == 2


def test_where_nothing_has_all_words_some_are_enough() -> None:
    with MisbehavingServer(Agency([label(1)], only=") OR (")) as server:
        assert len(search(server, "warfarin xyzzy", 1)) == 1


def test_the_key_is_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    with MisbehavingServer(Agency([label(1)])) as server:
        search(server, "warfarin", 2)
        monkeypatch.delenv("OPENFDA_API_KEY")
        search(server, "warfarin", 1)
    assert server.requests[0].headers["authorization"] == "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
    assert "authorization" not in server.requests[-1].headers
    assert all(KEY not in asked.target for asked in server.requests)


@pytest.mark.parametrize(
    "query", ['warfarin" OR _exists_:"x', "x) OR (serious:1", "a&count=b&api_key=c", "a:b^9 [1 TO 2]"]
)
def test_a_query_cannot_leave_its_quotes(query: str) -> None:
    with MisbehavingServer(Agency([label(1)])) as server:
        search(server, query, 1)
    asked = server.requests[0].query
    assert set(asked) == {"search", "limit", "skip"}
    quoted = re.sub(r'"[\w.-]+"', "", asked["search"])
    assert re.fullmatch(r"[a-z_.:() ]*", quoted.replace(" AND ", " ").replace(" OR ", " ")), quoted


@given(st.text(max_size=60))
def test_a_phrase_is_one_whatever_is_in_it(words: str) -> None:
    made = phrase(words)
    assert made[0] == made[-1] == '"' and '"' not in made[1:-1] and "\\" not in made
    made.encode()


@pytest.mark.parametrize(("behaviour", "reason"), PASSING, ids=[reason for _, reason in PASSING])
@pytest.mark.parametrize("at", ["label", "event"])
def test_what_may_pass_is_tried_again_and_then_an_outage(behaviour: Behaviour, reason: str, at: str) -> None:
    agency = Agency([label(1)])

    def failing(asked: Asked) -> Behaviour:
        return behaviour if at in asked.path else agency(asked)

    with MisbehavingServer(failing) as server:
        with pytest.raises(ToolOutage, match=rf"^openFDA: {reason}.*\(3 attempts\)$") as caught:
            search(server, "warfarin", 2)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("behaviour", ENDLESS)
def test_a_deadline(behaviour: Behaviour) -> None:
    with MisbehavingServer([behaviour]) as server, pytest.raises(ToolOutage, match="no whole answer within"):
        asyncio.run(OpenFDA(server.url, HASTY, sleep=at_once).candidates("warfarin", VECTOR, 1))


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"<html>"),
        raw(b'{"results": [{"set_id": "1"'),
        answers({"meta": {}}),
        answers({"results": [{"id": "7"}]}),
        answers({"results": [label(1) | {"set_id": 'x" OR "y'}]}),
        answers([]),
    ],
    ids=["html", "truncated", "no results", "no id", "a bad id", "a list"],
)
def test_what_is_no_list_of_labels(answer: Behaviour) -> None:
    with MisbehavingServer([answer]) as server:
        with pytest.raises(ToolOutage, match="^openFDA: answered something that is no list of labels"):
            search(server, "warfarin", 1)
        assert len(server.requests) == 3


def test_parts_of_another_shape_are_left_out() -> None:
    odd = label(1, boxed_warning="a text", indications_and_usage=[3, "Sjögren’s."])
    with MisbehavingServer(Agency([odd])) as server:
        (document,) = search(server, "warfarin", 1)
    assert [each for each in document.sections if ":" in each][-1] == "Indications: Sjögren’s."


@pytest.mark.parametrize(
    ("behaviour", "error", "said"),
    [
        (status(404, "no such page"), ConfigError, "nothing answers there; mend knowledge.addresses.openfda"),
        (status(400, '{"error": {"code": "BAD_REQUEST"}}'), ToolOutage, "HTTP status 400"),
        (status(403, '{"error": {"code": "API_KEY_INVALID"}}'), ConfigError, "mend .* OPENFDA_API_KEY"),
        (status(302, Location="http://127.0.0.1:1/"), ConfigError, "HTTP status 302"),
    ],
    ids=["elsewhere", "refused", "key", "redirect"],
)
def test_refusals(behaviour: Behaviour, error: type[Exception], said: str) -> None:
    with MisbehavingServer([behaviour]) as server:
        with pytest.raises(error, match=said):
            search(server, "warfarin", 1)
        assert len(server.requests) == 1
