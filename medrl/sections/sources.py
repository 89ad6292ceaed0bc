"""Live sources of medical documents, and web search. None is asked by default: a run then needs no network."""

from typing import Literal

from pydantic import Field, model_validator

from medrl.sections.base import Section
from medrl.sections.network import check_bare

SourceName = Literal["pubmed", "openfda", "clinical_trials", "orange_book"]


class AddressesConfig(Section):
    """Where live sources answer; change one to ask a mirror or a proxy of your own."""

    pubmed: str = Field("https://eutils.ncbi.nlm.nih.gov/entrez/eutils", description="E-utilities of the NCBI")
    openfda: str = Field("https://api.fda.gov", description="drug labels and adverse events")
    clinical_trials: str = Field("https://clinicaltrials.gov/api/v2", description="ClinicalTrials.gov, version 2")

    # For the whole section: the message of a validator of one field would show what was set, perhaps a key.
    @model_validator(mode="after")
    def _no_secrets(self) -> "AddressesConfig":
        for name in ("pubmed", "openfda", "clinical_trials"):
            check_bare(getattr(self, name), name)
        return self


class WebConfig(Section):
    """Who answers `web_search`. Keys come from the environment: SERPER_API_KEY, TAVILY_API_KEY."""

    provider: Literal["local", "serper", "tavily", "searxng"] = Field(
        "local", description="`local` searches the knowledge folder; the others the web"
    )
    url: str | None = Field(None, description="its address, without /search; null: the provider's own (local has none)")

    @model_validator(mode="after")
    def _has_an_address(self) -> "WebConfig":
        if self.url is not None:
            check_bare(self.url, "url")
            if self.url.rstrip("/").endswith("/search"):
                raise ValueError("url ends with /search, which is added to it: leave that out")
        if self.provider == "local" and self.url is not None:
            raise ValueError("url: the provider local asks nobody; set provider to who answers there, or url to null")
        if self.provider == "searxng" and self.url is None:
            raise ValueError("searxng has no address of its own: set url to an instance whose search.formats has json")
        return self
