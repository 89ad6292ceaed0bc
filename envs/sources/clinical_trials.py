"""ClinicalTrials.gov by its API, version 2 (clinicaltrials.gov/data-api/api)."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from pydantic import BaseModel, Field

from envs.corpus import Document
from envs.network.client import Network, Refused, read_json
from envs.retrieval.embedding import Floats
from envs.sentences import sentences
from envs.sources.base import Candidate, unanswerable
from envs.sources.queries import all_else_any, terms
from medrl.sections.network import NetworkConfig

Model = TypeVar("Model", bound=BaseModel)

PER_SECOND = 50 / 60
"""Requests a second: about 50 a minute are allowed from one address."""

_ID = re.compile(r"NCT\d{8}", re.ASCII)
_MOST_SENTENCES = 40
"""Of the eligibility criteria and of the summary, each."""


class ClinicalTrials:
    """The source `clinical_trials`; ids are "NCT01234567"."""

    name = "clinical_trials"

    def __init__(
        self,
        url: str,
        config: NetworkConfig,
        *,
        page: int = 25,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`page`: trials asked for at once."""
        self._url = url
        self._page = page
        mend = "mend knowledge.addresses.clinical_trials"
        self._network = Network("ClinicalTrials.gov", config, per_second=PER_SECOND, mend=mend, sleep=sleep)

    async def candidates(self, query: str, vector: Floats, k: int) -> list[Candidate]:
        """Trials with all words that carry meaning, or with any where none has all."""
        # Quoted, words are looked for as they are: they can be neither operators nor the name of an area.
        asked = [f'"{term}"' for term in terms(query)]
        trials = await all_else_any(asked, lambda term: self._search(term, k))
        return [Candidate(to_document(each)) for each in trials]

    async def document(self, id: str) -> Document | None:
        """The trial with this number."""
        if not _ID.fullmatch(id):
            return None
        try:
            return to_document((await self._ask(Study, "trial", f"studies/{id}", {"fields": _FIELDS})).protocol)
        except Refused as error:
            if error.status == 404:
                return None
            raise unanswerable(error, "knowledge.addresses.clinical_trials") from error

    async def _search(self, term: str, k: int) -> list["Protocol"]:
        """Up to `k` trials, best match first, each once."""
        trials: dict[str, Protocol] = {}
        token: str | None = None
        for start in range(0, k, self._page):
            size = min(self._page, k - start)
            params: dict[str, str | int] = {"query.term": term, "pageSize": size, "fields": _FIELDS}
            params |= {"pageToken": token} if token else {}
            try:
                found = await self._ask(_Studies, "list of trials", "studies", params)
            except Refused as error:
                raise unanswerable(error, "knowledge.addresses.clinical_trials") from error
            trials |= {each.protocol.nct_id: each.protocol for each in found.studies}
            token = found.next_page_token
            if token is None or not found.studies:
                break
        return list(trials.values())[:k]

    async def _ask(self, model: type[Model], what: str, path: str, params: dict[str, str | int]) -> Model:
        return await self._network.get_as(read_json(model, what), f"{self._url}/{path}", params)


class _Identification(BaseModel):
    nct_id: str = Field(alias="nctId", pattern=r"^NCT\d{8}$")
    brief_title: str = Field("", alias="briefTitle")
    official_title: str = Field("", alias="officialTitle")


class _Date(BaseModel):
    date: str = ""


class _Status(BaseModel):
    overall: str = Field("", alias="overallStatus")
    why_stopped: str = Field("", alias="whyStopped")
    start: _Date = Field(_Date(), alias="startDateStruct")
    completion: _Date = Field(_Date(), alias="primaryCompletionDateStruct")
    updated: _Date = Field(_Date(), alias="lastUpdatePostDateStruct")


class _Named(BaseModel):
    name: str = ""
    type: str = ""


class _Sponsors(BaseModel):
    lead: _Named = Field(_Named(), alias="leadSponsor")


class _Description(BaseModel):
    summary: str = Field("", alias="briefSummary")


class _Conditions(BaseModel):
    conditions: list[str] = []


class _Enrollment(BaseModel):
    count: int | None = None


class _Design(BaseModel):
    study_type: str = Field("", alias="studyType")
    phases: list[str] = []
    enrollment: _Enrollment = Field(_Enrollment(), alias="enrollmentInfo")


class _Interventions(BaseModel):
    interventions: list[_Named] = []


class _Outcome(BaseModel):
    measure: str = ""
    time_frame: str = Field("", alias="timeFrame")


class _Outcomes(BaseModel):
    primary: list[_Outcome] = Field([], alias="primaryOutcomes")
    secondary: list[_Outcome] = Field([], alias="secondaryOutcomes")


class _Eligibility(BaseModel):
    criteria: str = Field("", alias="eligibilityCriteria")
    sex: str = ""
    minimum_age: str = Field("", alias="minimumAge")
    maximum_age: str = Field("", alias="maximumAge")


class _Reference(BaseModel):
    pmid: str = ""


class _References(BaseModel):
    references: list[_Reference] = []


class Protocol(BaseModel):
    """The protocol section of a study; what is not used is left out."""

    identification: _Identification = Field(alias="identificationModule")
    status: _Status = Field(_Status(), alias="statusModule")
    sponsors: _Sponsors = Field(_Sponsors(), alias="sponsorCollaboratorsModule")
    description: _Description = Field(_Description(), alias="descriptionModule")
    conditions: _Conditions = Field(_Conditions(), alias="conditionsModule")
    design: _Design = Field(_Design(), alias="designModule")
    arms: _Interventions = Field(_Interventions(), alias="armsInterventionsModule")
    outcomes: _Outcomes = Field(_Outcomes(), alias="outcomesModule")
    eligibility: _Eligibility = Field(_Eligibility(), alias="eligibilityModule")
    references: _References = Field(_References(), alias="referencesModule")

    @property
    def nct_id(self) -> str:
        """Its number."""
        return self.identification.nct_id


#: What is asked for: a trial's places alone can take a hundred times as much.
_FIELDS = ",".join(f"protocolSection.{each.alias}" for each in Protocol.model_fields.values())


class Study(BaseModel):
    """A study as the registry gives it."""

    protocol: Protocol = Field(alias="protocolSection")


class _Studies(BaseModel):
    studies: list[Study]
    next_page_token: str | None = Field(None, alias="nextPageToken")


def to_document(trial: Protocol) -> Document:
    """A trial: what it is, who may take part, what it measures."""
    status, design, eligibility = trial.status, trial.design, trial.eligibility
    phases = [_plain(phase).replace("phase", "phase ") for phase in design.phases if phase != "NA"]
    ages = " to ".join(filter(None, (eligibility.minimum_age, eligibility.maximum_age)))
    facts = {
        "Status": _plain(status.overall),
        "Stopped": status.why_stopped,
        "Type": _plain(design.study_type),
        "Phase": "; ".join(phases),
        "Conditions": "; ".join(trial.conditions.conditions),
        "Interventions": "; ".join(f"{each.name} ({_plain(each.type)})" for each in trial.arms.interventions),
        "Sponsor": trial.sponsors.lead.name,
        "Participants": str(design.enrollment.count or ""),
        "Start": status.start.date,
        "Primary completion": status.completion.date,
        "Official title": trial.identification.official_title,
    }
    sections = [f"{label}: {said.rstrip('.')}." for label, said in facts.items() if said]
    sections += sentences(trial.description.summary, "Summary")[:_MOST_SENTENCES]
    sections += _outcomes("Primary outcome", trial.outcomes.primary)
    sections += _outcomes("Secondary outcome", trial.outcomes.secondary)
    sections += [f"Ages: {ages}."] if ages else []
    sections += [f"Sex: {_plain(eligibility.sex)}."] if eligibility.sex else []
    sections += _criteria(eligibility.criteria)[:_MOST_SENTENCES]
    kinds = (_plain(status.overall), *phases, _plain(design.study_type))
    return Document(
        id=trial.nct_id,
        title=f"{' '.join(trial.identification.brief_title.split()).rstrip('.') or 'Trial'} ({trial.nct_id})",
        sections=tuple(sections) or ("The registry says nothing else of it.",),
        source="clinicaltrials",
        evidence="",
        references=tuple(f"PMID:{each.pmid}" for each in trial.references.references if each.pmid.isdecimal()),
        kinds=tuple(filter(None, kinds)),
        date=status.updated.date or status.start.date,
        url=f"https://clinicaltrials.gov/study/{trial.nct_id}",
    )


def _plain(constant: str) -> str:
    """ "NOT_YET_RECRUITING" -> "not yet recruiting"."""
    return constant.replace("_", " ").lower()


def _outcomes(label: str, outcomes: Iterable[_Outcome]) -> list[str]:
    return [
        f"{label}: {each.measure.rstrip('.')}" + (f" ({each.time_frame})." if each.time_frame else ".")
        for each in outcomes
        if each.measure
    ]


def _criteria(text: str) -> list[str]:
    """Criteria, a line each in the registry, under the heading that they follow: inclusion or exclusion."""
    label, found = "Eligibility", []
    for line in filter(None, (line.strip(" \t*-•") for line in text.splitlines())):
        if re.fullmatch(r"(?:key )?(?:inclusion|exclusion)(?: criteria)?:?", line, re.IGNORECASE):
            label = line.rstrip(":").capitalize()
        else:
            found += sentences(line, label)
    return found
