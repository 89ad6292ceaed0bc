"""Live sources of medical documents, and web search. None is asked by default: a run then needs no network."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from medrl.sections.base import Section
from medrl.sections.network import bare_address

SourceName = Literal["pubmed", "openfda", "clinical_trials", "orange_book"]
Address = Annotated[str, AfterValidator(bare_address)]


class AddressesConfig(Section):
    """Where live sources answer; change one to ask a mirror or a proxy of your own."""

    pubmed: Address = Field("https://eutils.ncbi.nlm.nih.gov/entrez/eutils", description="E-utilities of the NCBI")
    openfda: Address = Field("https://api.fda.gov", description="drug labels and adverse events")
    clinical_trials: Address = Field("https://clinicaltrials.gov/api/v2", description="ClinicalTrials.gov, version 2")


class WebConfig(Section):
    """Who answers `web_search`. Keys come from the environment: SERPER_API_KEY, TAVILY_API_KEY."""

    provider: Literal["local", "serper", "tavily", "searxng"] = Field(
        "local", description="`local` searches the knowledge folder; the others the web"
    )
    url: Address | None = Field(None, description="its address, without /search; null: the provider's own")

    @model_validator(mode="after")
    def _has_an_address(self) -> "WebConfig":
        if self.provider == "searxng" and self.url is None:
            raise ValueError(
                "web.url: searxng has no address of its own; give that of an instance, with the format json"
            )
        return self
