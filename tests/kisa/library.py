"""A small library over a graph, with the tools' names and the shape of their text: no index, exact names only."""

import re
from collections.abc import Mapping
from typing import Any

from envs.corpus import Document
from envs.facts import facts_in, facts_of, ranking
from envs.tools.base import Tool, ToolResult
from envs.tools.medical_retriever import heading
from kisa.documents import medical_documents, web_documents
from kisa.graph import KnowledgeGraph


class Library:
    """One of the four tools. `sections` bounds what a search shows of each document."""

    description = "a library"
    parameters: Mapping[str, Any] = {"type": "object", "properties": {"query": {"type": "string"}}}

    def __init__(self, name: str, graph: KnowledgeGraph, sections: int = 1) -> None:
        self.name = name
        self.calls: list[Mapping[str, Any]] = []
        self._graph = graph
        self._sections = sections
        source = web_documents(graph) if name == "web_search" else medical_documents(graph)
        self._documents = {document.id: document for document in source}

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        self.calls.append(arguments)
        if self.name == "clinical_reasoning":
            return self._diagnose(arguments["findings"])
        if self.name == "document_read":
            wanted = arguments["document"].lower()
            for each in self._documents.values():
                if wanted in (each.id.lower(), each.title.lower(), _bare(each).lower()):
                    text = f"{each.title}: {' '.join(each.sections)}"
                    return ToolResult(text, (each.id,), facts=facts_in(each, text))
            return ToolResult.mistake(f"document_read: no document {arguments['document']!r}.")
        query = arguments["query"].lower()
        hits = [each for each in self._documents.values() if _bare(each).lower() in query or self._is_said(each, query)]
        lines = [
            f"[{number}] {heading(each)}: {' '.join(self._best(each, query))}"
            for number, each in enumerate(hits[:3], 1)
        ]
        facts = facts_of(hits[:3], lines)
        return ToolResult("\n".join(lines) or "No results.", tuple(each.id for each in hits[:3]), facts=facts)

    def _is_said(self, document: Document, query: str) -> bool:
        return self.name == "web_search" and any(query in section.lower() for section in document.sections)

    def _best(self, document: Document, query: str) -> list[str]:
        words = set(re.findall(r"[a-z]+", query)) - set(re.findall(r"[a-z]+", document.title.lower()))
        ranked = sorted(document.sections, key=lambda each: -len(words & set(re.findall(r"[a-z]+", each.lower()))))
        return ranked[: self._sections]

    def _diagnose(self, findings: list[str]) -> ToolResult:
        by_name = {entity.name: entity for entity in self._graph.of_kind("phenotype")}
        shown = [self._graph.carriers[by_name[name].id] for name in findings]
        ranked = sorted(self._graph.of_kind("disease"), key=lambda each: -sum(each.id in those for those in shown))
        text = "\n".join(f"{n}. {each.name} ({each.id}) P=0.50" for n, each in enumerate(ranked[:3], 1))
        sources = tuple(each.id for each in ranked[:3])
        return ToolResult(text, sources, **ranking(text, findings, sources))


def _bare(document: Document) -> str:
    return document.title.rpartition(" (")[0] if document.title.endswith(")") else document.title


def open_library(graph: KnowledgeGraph) -> dict[str, Tool]:
    names = ("medical_retriever", "clinical_reasoning", "document_read", "web_search")
    return {name: Library(name, graph) for name in names}
