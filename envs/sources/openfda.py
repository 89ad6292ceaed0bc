"""openFDA (open.fda.gov/apis): labels of drugs, and how often which reaction was reported for a drug.

A label is a document; so are the reactions of a drug, counted over all reports of adverse events that name it.
"""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel, Field

from envs.corpus import Document
from envs.network.attempts import key_in
from envs.network.client import Network, Refused, read_json
from envs.retrieval.embedding import Floats
from envs.sentences import sentences
from envs.sources.base import Candidate, unanswerable
from envs.sources.dates import iso_date
from envs.sources.queries import all_else_any, terms
from medrl.sections.network import NetworkConfig

Model = TypeVar("Model", bound=BaseModel)

KEY_VARIABLE = "OPENFDA_API_KEY"
PER_SECOND = 240 / 60
"""Requests a second that are allowed, with a key and without one."""

_MOST_TERMS = 8
_MOST_REACTIONS = 50
_MOST_SENTENCES = 40
"""Of one part of a label."""
_LABEL_ID = re.compile(r"openFDA:label:([0-9A-Za-z-]{1,64})", re.ASCII)
_EVENT_ID = re.compile(r"openFDA:event:(?=.*[^\W_])(.{1,200})")
_DRUG_IN_EVENTS = "patient.drug.openfda.generic_name"
#: Where a word of a query is looked for.
_SEARCHED = (
    "openfda.brand_name",
    "openfda.generic_name",
    "indications_and_usage",
    "contraindications",
    "warnings",
    "adverse_reactions",
)
#: Parts of a label that are shown, in this order, and how the sentences of each are labelled.
_PARTS = {
    "boxed_warning": "Boxed warning",
    "indications_and_usage": "Indications",
    "contraindications": "Contraindications",
    "warnings_and_cautions": "Warnings",
    "warnings": "Warnings",
    "adverse_reactions": "Adverse reactions",
    "drug_interactions": "Interactions",
    "dosage_and_administration": "Dosage",
    "use_in_specific_populations": "Specific populations",
    "pregnancy": "Pregnancy",
    "pediatric_use": "Paediatric use",
    "geriatric_use": "Geriatric use",
    "mechanism_of_action": "Mechanism",
    "overdosage": "Overdose",
    "active_ingredient": "Active ingredient",
    "purpose": "Purpose",
    "do_not_use": "Do not use",
    "stop_use": "Stop use",
}


class OpenFDA:
    """The source `openfda`; ids are "openFDA:label:<set id>" and "openFDA:event:<drug>"."""

    name = "openfda"

    def __init__(
        self,
        url: str,
        config: NetworkConfig,
        *,
        page: int = 100,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`page`: labels asked for at once. Raises ConfigError if the key in the environment can be none."""
        key = key_in(KEY_VARIABLE)
        self._url = url
        self._page = page
        # The key as the user name of basic authentication, which openFDA takes: in the address it would be logged.
        self._headers = {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()} if key else {}
        mend = f"mend knowledge.addresses.openfda or {KEY_VARIABLE}"
        self._network = Network("openFDA", config, per_second=PER_SECOND, secret=key, mend=mend, sleep=sleep)

    async def candidates(self, query: str, vector: Floats, k: int) -> list[Candidate]:
        """Labels with all words that carry meaning, or with any where none has all; second, what was reported for the
        drug of the first label."""
        asked = [_anywhere(term) for term in terms(query, _MOST_TERMS)]
        labels = await all_else_any(asked, lambda said: self._labels(said, k))
        documents = [label_document(each) for each in labels]
        if labels and k > 1 and (drug := labels[0].openfda.drug):
            events = await self._events(drug)
            documents = documents[:1] + ([events] if events else []) + documents[1:]
        return [Candidate(each) for each in documents[:k]]

    async def document(self, id: str) -> Document | None:
        """The label, or the reactions, with this id."""
        if found := _LABEL_ID.fullmatch(id):
            labels = await self._labels(f"set_id:{phrase(found[1])}", 1)
            return next((label_document(each) for each in labels if each.set_id == found[1]), None)
        if found := _EVENT_ID.fullmatch(id):
            return await self._events(found[1])
        return None

    async def _labels(self, search: str, k: int) -> list["Label"]:
        """Up to `k` labels, one of each set."""
        labels: dict[str, Label] = {}
        for skip in range(0, k, self._page):
            size = min(self._page, k - skip)
            params: dict[str, str | int] = {"search": search, "limit": size, "skip": skip}
            found = await self._ask(_Labels, "list of labels", "drug/label.json", params)
            results = found.results if found else []
            for each in results:
                labels.setdefault(each.set_id, each)
            if len(results) < size:
                break
        return list(labels.values())

    async def _events(self, drug: str) -> Document | None:
        params: dict[str, str | int] = {
            "search": f"{_DRUG_IN_EVENTS}:{phrase(drug)}",
            "count": "patient.reaction.reactionmeddrapt.exact",
            "limit": _MOST_REACTIONS,
        }
        found = await self._ask(_Reactions, "list of reactions", "drug/event.json", params)
        return events_document(drug, found) if found and found.results else None

    async def _ask(self, model: type[Model], what: str, path: str, params: dict[str, str | int]) -> Model | None:
        """None where openFDA says that nothing was found: it does so with a 404."""
        try:
            return await self._network.get_as(read_json(model, what), f"{self._url}/{path}", params, self._headers)
        except Refused as error:
            if error.status == 404 and "NOT_FOUND" in error.said:
                return None
            raise unanswerable(error, "knowledge.addresses.openfda") from error


class _Names(BaseModel):
    brand_name: list[str] = []
    generic_name: list[str] = []
    application_number: list[str] = []
    manufacturer_name: list[str] = []

    @property
    def drug(self) -> str:
        return self.generic_name[0].lower() if self.generic_name else ""


class Label(BaseModel, extra="allow"):
    """Its parts, each a list of texts, stand beside these fields."""

    set_id: str = Field(pattern=r"^[0-9A-Za-z-]{1,64}$")
    effective_time: str = ""
    openfda: _Names = _Names()

    def part(self, name: str) -> str:
        """The text of a part; "" if the label has none."""
        texts = (self.model_extra or {}).get(name, [])
        return " ".join(text for text in texts if isinstance(text, str)) if isinstance(texts, list) else ""


class _Labels(BaseModel):
    results: list[Label]


class _Reaction(BaseModel):
    term: str
    count: int


class _Meta(BaseModel):
    last_updated: str = ""


class _Reactions(BaseModel):
    meta: _Meta
    results: list[_Reaction]


def phrase(words: str) -> str:
    """Words as openFDA's query language (Lucene's) takes them: quoted, with what could end the quotes left out."""
    return '"' + " ".join(re.sub(r'["\\\x00-\x1f\x7f\ud800-\udfff]', " ", words).split()) + '"'


def _anywhere(term: str) -> str:
    return "(" + " OR ".join(f"{field}:{phrase(term)}" for field in _SEARCHED) + ")"


def label_document(label: Label) -> Document:
    """The parts of a label, in sentences."""
    names = label.openfda
    generic = ", ".join(names.generic_name[:3]).lower()
    brand = ", ".join(names.brand_name[:3])
    title = f"{brand or generic or label.part('spl_product_data_elements')[:80] or label.set_id}: drug label"
    sections = [f"Generic name: {generic}."] if generic else []
    sections += [f"Manufacturer: {names.manufacturer_name[0].rstrip('.')}."] if names.manufacturer_name else []
    sections += [f"Application: {', '.join(names.application_number)}."] if names.application_number else []
    for part, called in _PARTS.items():
        if text := label.part(part):
            sections += sentences(text, called)[:_MOST_SENTENCES]
    return Document(
        id=f"openFDA:label:{label.set_id}",
        title=title,
        sections=tuple(sections) or ("The label has no text.",),
        source="openfda",
        evidence="",
        references=tuple(names.application_number),
        kinds=("label",),
        date=iso_date(label.effective_time),
        url=f"https://dailymed.nlm.nih.gov/dailymed/drugInfo.cfm?setid={label.set_id}",
    )


def events_document(drug: str, reactions: _Reactions) -> Document:
    """How often which reaction was reported. It is no frequency: reports are voluntary, and prove no cause."""
    listed = [f"{each.term.capitalize()}: {each.count:,} reports." for each in reactions.results]
    caveat = "Reports are voluntary and prove no cause; they are no frequency."
    return Document(
        id=f"openFDA:event:{drug}",
        title=f"Adverse events reported for {drug}",
        sections=(f"Most reported: {'; '.join(each.term.lower() for each in reactions.results[:5])}.", *listed, caveat),
        source="openfda",
        evidence="",
        kinds=("adverse events",),
        date=iso_date(reactions.meta.last_updated),
        url="https://open.fda.gov/apis/drug/event/",
    )
