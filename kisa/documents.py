"""The graph as documents: what the retriever indexes, and disease profiles for the reasoning engine.

A snippet is a title and the section or two that best match the query, so each section is one short statement that
names the entities it links, and the ones asked for most come first.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from envs.corpus import DiseaseProfile, Document, FindingName
from kisa.build import EVIDENCE
from kisa.frequency import BANDS, RANGES, TERM_OF, UNKNOWN, expected, pool
from kisa.graph import KnowledgeGraph
from kisa.sources.prevalence import PREVALENCE_WEIGHTS
from medrl.types import Entity, Relation

#: Names in one section; more go to a section of their own.
NAMES = 8
_BAND_NAMES = 3
_REFERENCES = 8
_SOURCES = {"OMIM": "omim", "ORPHA": "orphanet", "DECIPHER": "decipher"}
_SENTENCE = re.compile(r"(?<=[a-z0-9)][.!?])\s+(?=[A-Z])")


def medical_documents(graph: KnowledgeGraph) -> Iterator[Document]:
    """One document for each disease, each gene and each finding that is annotated."""
    for disease in graph.of_kind("disease"):
        yield disease_document(graph, disease)
    for gene in graph.of_kind("gene"):
        yield gene_document(graph, gene)
    narrower: dict[str, list[str]] = defaultdict(list)
    for relations in graph.relations["is_a"].values():
        for relation in relations:
            narrower[relation.object.id].append(relation.subject.name)
    for phenotype in graph.of_kind("phenotype"):
        if graph.out(phenotype, "presents_in"):
            yield phenotype_document(graph, phenotype, narrower[phenotype.id])


def title(entity: Entity) -> str:
    """The title of an entity's document: "Marfan syndrome (OMIM:154700)", "FBN1 (gene)", "Ectopia lentis (finding)"."""
    marks = {"disease": entity.id, "gene": "gene", "phenotype": "finding"}
    return f"{entity.name} ({marks[entity.kind]})"


def disease_document(graph: KnowledgeGraph, disease: Entity) -> Document:
    """Gene, inheritance, onset, findings by organ system (commonest first) and by frequency, what is absent."""
    facts = graph.facts[disease.id]
    genes = [relation.object.name for relation in graph.out(disease, "caused_by")]
    findings = sorted(graph.out(disease, "has_finding"), key=lambda each: -_probability(each))
    sections = list(_listing("Gene" if len(genes) == 1 else "Genes", genes)) or ["Gene: not known."]
    modes = [each.object.name.removesuffix(" inheritance") for each in graph.out(disease, "inherited_as")]
    sections += _listing("Inheritance", modes)
    sections += _listing("Onset", [each.object.name for each in graph.out(disease, "has_onset")])
    by_system: dict[str, list[str]] = defaultdict(list)
    by_band: dict[str, list[str]] = defaultdict(list)
    for relation in findings:
        by_system[relation.spatial.get("organ_system", "other")].append(relation.object.name)
        if "frequency_class" in relation.clinical:
            by_band[relation.clinical["frequency_class"]].append(relation.object.name)
    for system, names in sorted(by_system.items(), key=lambda item: -len(item[1])):
        sections += _listing(f"{system.capitalize()} findings", names)
    for band in BANDS:
        if 0 < len(by_band[band]) <= _BAND_NAMES:
            sections += _listing(f"{band.capitalize()} findings ({RANGES[band]})", by_band[band])
    sections += _listing("Absent", [each.object.name for each in facts.absent])
    sections += _listing("Also known as", [*facts.aliases, *facts.merged])
    relations = [*graph.out(disease, "caused_by"), *findings]
    source = _SOURCES.get(disease.id.partition(":")[0], "omim")
    return Document(disease.id, title(disease), tuple(sections), source, _evidence(relations), _references(relations))


def gene_document(graph: KnowledgeGraph, gene: Entity) -> Document:
    """The diseases that a gene is linked to."""
    relations = graph.out(gene, "causes")
    sections = tuple(_listing("Diseases", [relation.object.name for relation in relations]))
    return Document(gene.id, title(gene), sections, "ncbi_gene", _evidence(relations), _references(relations))


def phenotype_document(graph: KnowledgeGraph, phenotype: Entity, narrower: list[str]) -> Document:
    """The diseases that show a finding, the broader and narrower findings, the organ systems."""
    relations = graph.out(phenotype, "presents_in")
    ranked = sorted(relations, key=lambda each: -_probability(each))
    count = len(ranked)
    label = "Seen in" if count <= NAMES else f"Seen in {count} diseases, among them"
    sections = [*_listing(label, [relation.object.name for relation in ranked[:NAMES]])]
    sections += _listing("A kind of", [relation.object.name for relation in graph.out(phenotype, "is_a")])
    sections += _listing("Organ system", graph.facts[phenotype.id].systems)
    sections += _listing("Narrower findings", narrower[:NAMES])
    sections += _listing("Also called", graph.facts[phenotype.id].aliases[:NAMES])
    identifier = phenotype.id
    return Document(identifier, title(phenotype), tuple(sections), "hpo", _evidence(relations), _references(relations))


def web_documents(graph: KnowledgeGraph) -> Iterator[Document]:
    """General entries, as an encyclopaedia has them: a finding in everyday words, its definition, a comment."""
    for phenotype in graph.of_kind("phenotype"):
        term = graph.facts[phenotype.id].term
        if term is None or not (term.definition or term.lay):
            continue
        lay = [each for each in term.lay if each.lower() != term.name.lower()]
        sections = [*_listing("In everyday words", lay), *_sentences(term.definition), *_sentences(term.comment)]
        if sections:
            yield Document(f"web:{phenotype.id}", phenotype.name, tuple(sections), "web", "")


def profiles(graph: KnowledgeGraph, prevalence: Mapping[str, str] | None = None) -> Iterator[DiseaseProfile]:
    """P(finding | disease), `frequency.expected`, with the source of each figure.

    `prevalence`: disease id -> Orphanet's class, of any catalogue's id; of several the commonest class is kept.
    """
    for disease in graph.of_kind("disease"):
        relations = graph.out(disease, "has_finding")
        if not relations:
            continue
        absent = graph.facts[disease.id].absent
        sexes = {each.object.id: each.clinical["sex"] for each in relations if "sex" in each.clinical}
        identifiers = (disease.id, *graph.facts[disease.id].merged)
        classes = [prevalence[each] for each in identifiers if each in prevalence] if prevalence else []
        commonest = max(classes, key=PREVALENCE_WEIGHTS.__getitem__, default="")
        yield DiseaseProfile(
            disease.id,
            disease.name,
            {
                each.object.id: (
                    expected(each.clinical.get("frequency", "")),
                    _figure_source(each, "frequency unknown"),
                )
                for each in relations
            },
            tuple(each.object.name for each in graph.out(disease, "inherited_as")),
            tuple(each.object.name for each in graph.out(disease, "has_onset")),
            PREVALENCE_WEIGHTS.get(commonest, 1.0),
            {each.object.id: (_examined(each), _figure_source(each, "absent")) for each in absent},
            sexes,
            commonest,
        )


def finding_names(graph: KnowledgeGraph) -> Iterator[FindingName]:
    """The names of every finding, annotated or not, and the findings that it is a kind of."""
    for phenotype in graph.of_kind("phenotype"):
        term = graph.facts[phenotype.id].term
        if term is not None:
            parents = tuple(each.object.id for each in graph.out(phenotype, "is_a"))
            synonyms = tuple(dict.fromkeys((*term.synonyms, *term.lay)))
            yield FindingName(phenotype.id, phenotype.name, synonyms, parents)


def _figure_source(relation: Relation, otherwise: str) -> str:
    reference = relation.provenance["reference"].partition(";")[0]
    return f"{reference} {relation.clinical.get('frequency', otherwise)}"


def _examined(relation: Relation) -> int:
    """How many patients were counted, "0/5"; 0 where nobody says."""
    _, _, examined = relation.clinical.get("frequency", "").partition("/")
    return int(examined) if examined else 0


def _probability(relation: Relation) -> float:
    stated = relation.clinical.get("frequency")
    if stated is None:
        return UNKNOWN
    return pool((TERM_OF.get(stated, stated),)).probability or UNKNOWN


def _listing(label: str, names: Iterable[str]) -> Iterator[str]:
    listed = list(names)
    for start in range(0, len(listed), NAMES):
        lead = label if start == 0 else f"More {label[0].lower()}{label[1:]}"
        yield f"{lead}: {'; '.join(listed[start : start + NAMES])}."


def _sentences(text: str) -> list[str]:
    return [
        sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
        for sentence in _SENTENCE.split(text)
        if sentence
    ]


def _evidence(relations: list[Relation]) -> str:
    codes = {relation.provenance.get("evidence", "") for relation in relations} & set(EVIDENCE)
    return min(codes, key=EVIDENCE.__getitem__, default="")


def _references(relations: list[Relation]) -> tuple[str, ...]:
    found = (each for relation in relations for each in relation.provenance["reference"].split(";"))
    return tuple(dict.fromkeys(found))[:_REFERENCES]
