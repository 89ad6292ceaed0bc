"""PubMed by the NCBI's E-utilities (ncbi.nlm.nih.gov/books/NBK25499): esearch finds PMIDs, efetch brings citations.

Requests are forms, as esearch and efetch take them: a key in an address would end up in logs.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

from lxml import etree
from pydantic import BaseModel, Field

from envs.corpus import Document
from envs.network.attempts import key_in
from envs.network.client import Answer, Network, Refused, read_json
from envs.retrieval.embedding import Floats
from envs.sentences import sentences
from envs.sources.base import Candidate, unanswerable
from envs.sources.citations import SAFELY, Citation, read_citation
from envs.sources.queries import all_else_any, terms
from medrl.errors import ConfigError
from medrl.sections.network import NetworkConfig

T = TypeVar("T")

KEY_VARIABLE = "NCBI_API_KEY"
EMAIL_VARIABLE = "NCBI_EMAIL"
#: Requests a second that the NCBI allows, without a key and with one.
PER_SECOND, PER_SECOND_WITH_KEY = 3.0, 10.0

#: None begins with 0: PubMed refuses such a number, where it just knows nothing of others that are not there.
_ID = re.compile(r"PMID:([1-9]\d{0,8})", re.ASCII)


class PubMed:
    """The source `pubmed`; ids are "PMID:29768149"."""

    name = "pubmed"

    def __init__(
        self,
        url: str,
        config: NetworkConfig,
        *,
        page: int = 50,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`page`: PMIDs and citations asked for at once. Raises ConfigError if the environment's key can be none."""
        key = key_in(KEY_VARIABLE)
        self._url = url
        self._page = page
        self._form = {"db": "pubmed", "tool": "medrl"}
        self._form |= {"api_key": key} if key else {}
        self._form |= {"email": os.environ[EMAIL_VARIABLE]} if os.environ.get(EMAIL_VARIABLE) else {}
        self._network = Network(
            "PubMed",
            config,
            per_second=PER_SECOND_WITH_KEY if key else PER_SECOND,
            secret=key,
            mend=f"mend knowledge.addresses.pubmed or {KEY_VARIABLE}",
            sleep=sleep,
        )

    async def candidates(self, query: str, vector: Floats, k: int) -> list[Candidate]:
        """PubMed's best matches for all words that carry meaning; where nothing has them all, for any."""
        pmids = await all_else_any(terms(query), lambda term: self._search(term, k))
        citations: dict[str, Citation] = {}
        for start in range(0, len(pmids), self._page):
            citations |= {each.pmid: each for each in await self._fetch(pmids[start : start + self._page])}
        return [Candidate(to_document(citations[pmid])) for pmid in pmids if pmid in citations]

    async def document(self, id: str) -> Document | None:
        """The citation with this PMID."""
        found = _ID.fullmatch(id)
        if found is None:
            return None
        citations = await self._fetch([found[1]])
        return next((to_document(each) for each in citations if each.pmid == found[1]), None)

    async def _search(self, term: str, k: int) -> list[str]:
        """Up to `k` PMIDs, best match first."""
        pmids: dict[str, None] = {}
        for start in range(0, k, self._page):
            size = min(self._page, k - start)
            form = {"term": term, "retmode": "json", "sort": "relevance", "retstart": str(start), "retmax": str(size)}
            found = (await self._ask(read_json(_Found, "list of PMIDs"), "esearch", form)).esearchresult
            pmids |= dict.fromkeys(found.idlist)
            if len(found.idlist) < size or start + size >= found.count:
                break
        return list(pmids)[:k]

    async def _fetch(self, pmids: Sequence[str]) -> list[Citation]:
        form = {"id": ",".join(pmids), "retmode": "xml"}
        return await self._ask(_read_citations, "efetch", form)

    async def _ask(self, read: Callable[[Answer], T], utility: str, form: dict[str, str]) -> T:
        try:
            return await self._network.post_as(read, f"{self._url}/{utility}.fcgi", form=self._form | form)
        except Refused as error:
            if "api key" in error.said.lower():
                raise ConfigError(f"{error}; put the right key into {KEY_VARIABLE}, or none") from error
            raise unanswerable(error, "knowledge.addresses.pubmed") from error


class _IdList(BaseModel):
    count: int
    idlist: list[Annotated[str, Field(pattern=r"^\d{1,9}$")]]


class _Found(BaseModel):
    esearchresult: _IdList


def _read_citations(answer: Answer) -> list[Citation]:
    """Raises ValueError, for `Network.post_as`. Books, and citations without a title, are left out."""
    try:
        root = etree.fromstring(answer.body, etree.XMLParser(**SAFELY))
    except etree.XMLSyntaxError as error:
        raise ValueError(f"no list of citations ({error.msg})") from None
    if root.tag != "PubmedArticleSet":
        raise ValueError(f"no list of citations (its root is <{str(root.tag)[:40]}>)")
    citations = map(read_citation, root.iterfind("PubmedArticle/MedlineCitation"))
    return [each for each in citations if each is not None]


def to_document(citation: Citation) -> Document:
    """Sentences of the abstract, each with the label of its paragraph; then headings and where it was published."""
    sections = [sentence for label, text in citation.paragraphs for sentence in sentences(text, label)]
    if citation.mesh:
        sections.append(f"Topics: {'; '.join(citation.mesh)}.")
    published = ", ".join(filter(None, (citation.journal, citation.date)))
    sections.append(f"Published in {published}." if published else "Neither abstract nor journal is known.")
    return Document(
        id=f"PMID:{citation.pmid}",
        title=citation.title.rstrip("."),
        sections=tuple(sections),
        source="pubmed",
        evidence="",
        references=(f"PMID:{citation.pmid}",),
        kinds=tuple(dict.fromkeys(each.lower() for each in citation.types)),
        journal=citation.journal,
        date=citation.date,
        url=f"https://pubmed.ncbi.nlm.nih.gov/{citation.pmid}/",
    )
