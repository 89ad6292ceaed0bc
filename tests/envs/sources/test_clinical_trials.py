"""ClinicalTrials.gov against a server that speaks as its API does, version 2: pages by token."""

import asyncio
from typing import Any

import pytest

from envs.corpus import Document
from envs.sources.clinical_trials import ClinicalTrials
from medrl.errors import ConfigError, ToolOutage
from tests.envs.asking import ENDLESS, HASTY, PASSING, QUICK, VECTOR, at_once
from tests.misbehaving import Asked, Behaviour, MisbehavingServer, answers, raw, status


def study(number: int, **modules: Any) -> dict[str, Any]:
    nct_id = f"NCT{number:08d}"
    return {"protocolSection": {"identificationModule": {"nctId": nct_id, "briefTitle": f"Trial {number}"}, **modules}}


WHOLE = study(
    1234567,
    statusModule={
        "overallStatus": "ACTIVE_NOT_RECRUITING",
        "startDateStruct": {"date": "2020-02"},
        "primaryCompletionDateStruct": {"date": "2023-01-31", "type": "ACTUAL"},
        "lastUpdatePostDateStruct": {"date": "2024-05-06", "type": "ACTUAL"},
    },
    sponsorCollaboratorsModule={"leadSponsor": {"name": "Novo Nordisk A/S", "class": "INDUSTRY"}},
    descriptionModule={"briefSummary": "It is studied. Twice."},
    conditionsModule={"conditions": ["Marfan Syndrome", "Sjögren"]},
    designModule={"studyType": "INTERVENTIONAL", "phases": ["PHASE2", "PHASE3"], "enrollmentInfo": {"count": 120}},
    armsInterventionsModule={"interventions": [{"type": "DRUG", "name": "Losartan"}]},
    outcomesModule={
        "primaryOutcomes": [{"measure": "Aortic root", "timeFrame": "3 years"}],
        "secondaryOutcomes": [{"measure": "Death."}],
    },
    eligibilityModule={
        "eligibilityCriteria": "Inclusion Criteria:\n\n* Marfan syndrome.\n* Age under 18\n\n"
        "Exclusion Criteria:\n\n* Surgery",
        "sex": "ALL",
        "minimumAge": "2 Years",
        "maximumAge": "18 Years",
    },
    referencesModule={"references": [{"pmid": "29768149", "type": "RESULT"}, {"citation": "A book"}]},
)


class Registry:
    """Trials that match any term, or only one with `only`."""

    def __init__(self, trials: list[dict[str, Any]], only: str = "") -> None:
        self._trials = trials
        self._only = only

    def __call__(self, asked: Asked) -> Behaviour:
        by_id = {each["protocolSection"]["identificationModule"]["nctId"]: each for each in self._trials}
        if not asked.path.endswith("/studies"):
            nct_id = asked.path.rpartition("/")[2]
            return answers(by_id[nct_id]) if nct_id in by_id else status(404, f"NCT number {nct_id} not found")
        matching = self._trials if self._only in asked.query["query.term"] else []
        start, size = int(asked.query.get("pageToken", "t0")[1:]), int(asked.query["pageSize"])
        more = {"nextPageToken": f"t{start + size}"} if start + size < len(matching) else {}
        return answers({"studies": matching[start : start + size]} | more)


def search(server: MisbehavingServer, query: str, k: int, **settings: Any) -> list[Document]:
    source = ClinicalTrials(server.url, QUICK, sleep=at_once, **settings)
    return [each.document for each in asyncio.run(source.candidates(query, VECTOR, k))]


def read(server: MisbehavingServer, id: str) -> Document | None:
    return asyncio.run(ClinicalTrials(server.url, QUICK, sleep=at_once).document(id))


def test_a_trial_becomes_a_document() -> None:
    with MisbehavingServer(Registry([WHOLE])) as server:
        (document,) = search(server, "marfan", 3)
        assert read(server, "NCT01234567") == document
    assert document == Document(
        "NCT01234567",
        "Trial 1234567 (NCT01234567)",
        (
            "Status: active not recruiting.",
            "Type: interventional.",
            "Phase: phase 2; phase 3.",
            "Conditions: Marfan Syndrome; Sjögren.",
            "Interventions: Losartan (drug).",
            "Sponsor: Novo Nordisk A/S.",
            "Participants: 120.",
            "Start: 2020-02.",
            "Primary completion: 2023-01-31.",
            "Summary: It is studied.",
            "Summary: Twice.",
            "Primary outcome: Aortic root (3 years).",
            "Secondary outcome: Death.",
            "Ages: 2 Years to 18 Years.",
            "Sex: all.",
            "Inclusion criteria: Marfan syndrome.",
            "Inclusion criteria: Age under 18",
            "Exclusion criteria: Surgery",
        ),
        "clinicaltrials",
        "",
        ("PMID:29768149",),
        ("active not recruiting", "phase 2", "phase 3", "interventional"),
        "",
        "2024-05-06",
        "https://clinicaltrials.gov/study/NCT01234567",
    )


def test_a_title_stays_on_its_line() -> None:
    odd = study(1)
    odd["protocolSection"]["identificationModule"]["briefTitle"] = "Losartan\n[2] in\tMarfan."
    with MisbehavingServer(Registry([odd])) as server:
        assert search(server, "marfan", 1)[0].title == "Losartan [2] in Marfan (NCT00000001)"


def test_a_trial_of_which_little_is_known() -> None:
    with MisbehavingServer(Registry([study(1, designModule={"phases": ["NA"]})])) as server:
        (document,) = search(server, "marfan", 3)
    assert document.sections == ("The registry says nothing else of it.",) and document.kinds == ()


def test_pages_follow_the_token() -> None:
    trials = [study(number) for number in range(25)]
    with MisbehavingServer(Registry(trials)) as server:
        assert [each.id for each in search(server, "marfan", 22, page=10)] == [f"NCT{n:08d}" for n in range(22)]
        pages = [(asked.query.get("pageToken"), asked.query["pageSize"]) for asked in server.requests]
        assert pages == [(None, "10"), ("t10", "10"), ("t20", "2")]
    with MisbehavingServer(Registry(trials[:12])) as server:
        assert len(search(server, "marfan", 22, page=10)) == 12 and len(server.requests) == 2


def test_a_token_without_end_ends() -> None:
    with MisbehavingServer([answers({"studies": [study(1)], "nextPageToken": "t1"})]) as server:
        assert [each.id for each in search(server, "marfan", 30, page=10)] == ["NCT00000001"]
        assert len(server.requests) == 3


def test_nothing_found_and_nothing_asked() -> None:
    with MisbehavingServer(Registry([])) as server:
        assert search(server, "xyzzy", 3) == [] and len(server.requests) == 1
        assert search(server, "()[]", 3) == [] and len(server.requests) == 1
        assert read(server, "NCT00000009") is None and len(server.requests) == 2
        for other in ("PMID:7", "NCT1", "NCT00000001/..", "nct00000001", "NCT٠٠٠٠٠٠٠١"):
            assert read(server, other) is None
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("query", "term"),
    [
        ("marfan losartan", '"marfan" AND "losartan"'),
        ('x" OR AREA[Phase]PHASE3 NOT (y', '"x" AND "area" AND "phase" AND "phase3" AND "y"'),
        ("a&pageSize=9 SEARCH[Location]", '"pagesize" AND "9" AND "search" AND "location"'),
    ],
)
def test_a_query_gets_through_as_words_alone(query: str, term: str) -> None:
    with MisbehavingServer(Registry([study(1)])) as server:
        assert search(server, query, 1)
    (asked,) = server.requests
    fields = asked.query["fields"].split(",")
    assert asked.query == {"query.term": term, "pageSize": "1", "fields": ",".join(fields)}
    assert {field.removeprefix("protocolSection.") for field in fields} >= WHOLE["protocolSection"].keys()


def test_where_nothing_has_all_words_some_are_enough() -> None:
    with MisbehavingServer(Registry([study(1)], only=" OR ")) as server:
        assert len(search(server, "marfan xyzzy", 3)) == 1


@pytest.mark.parametrize(("behaviour", "reason"), PASSING, ids=[reason for _, reason in PASSING])
def test_what_may_pass_is_tried_again_and_then_an_outage(behaviour: Behaviour, reason: str) -> None:
    with MisbehavingServer([behaviour]) as server:
        with pytest.raises(ToolOutage, match=rf"^ClinicalTrials.gov: {reason}.*\(3 attempts\)$"):
            search(server, "marfan", 1)
        with pytest.raises(ToolOutage, match=rf"^ClinicalTrials.gov: {reason}"):
            read(server, "NCT00000001")


@pytest.mark.parametrize("behaviour", ENDLESS)
def test_a_deadline(behaviour: Behaviour) -> None:
    with MisbehavingServer([behaviour]) as server, pytest.raises(ToolOutage, match="no whole answer within"):
        asyncio.run(ClinicalTrials(server.url, HASTY, sleep=at_once).document("NCT00000001"))


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"<html>"),
        raw(b'{"studies": ['),
        answers({"totalCount": 0}),
        answers({"studies": [{"protocolSection": {}}]}),
        answers({"studies": [{"protocolSection": {"identificationModule": {"nctId": "../x"}}}]}),
    ],
    ids=["html", "truncated", "no studies", "no identification", "a bad id"],
)
def test_what_is_no_list_of_trials(answer: Behaviour) -> None:
    with MisbehavingServer([answer]) as server:
        with pytest.raises(ToolOutage, match="answered something that is no list of trials"):
            search(server, "marfan", 1)
        assert len(server.requests) == 3
        with pytest.raises(ToolOutage, match="answered something that is no trial"):
            read(server, "NCT00000001")


@pytest.mark.parametrize(
    ("behaviour", "error", "said"),
    [
        (status(404, "no such page"), ConfigError, "mend knowledge.addresses.clinical_trials"),
        (status(400, "Too complicated query"), ToolOutage, "HTTP status 400, 'Too complicated query'"),
        (status(403, "no"), ConfigError, "HTTP status 403"),
        (status(307, Location="http://127.0.0.1:1/"), ConfigError, "HTTP status 307"),
    ],
    ids=["elsewhere", "refused", "forbidden", "redirect"],
)
def test_refusals(behaviour: Behaviour, error: type[Exception], said: str) -> None:
    with MisbehavingServer([behaviour]) as server:
        with pytest.raises(error, match=said):
            search(server, "marfan", 1)
        assert len(server.requests) == 1
