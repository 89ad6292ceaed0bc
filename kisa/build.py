"""Ontology -> knowledge graph: merging of diseases, pooling of annotations, organ systems."""

import gc
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from kisa.frequency import pool
from kisa.graph import Facts, KnowledgeGraph
from kisa.names import natural_order, normalise
from kisa.sources.hpo import Annotation, Ontology
from kisa.specialties import MUSCULOSKELETAL, PHENOTYPE_ROOT, adjective, most_typical, usual_shares, votes
from medrl.types import Entity, Relation

_CATALOGUES = {"OMIM": 0, "ORPHA": 1, "DECIPHER": 2}
#: Best first: published clinical study, traceable author statement, inferred electronically.
EVIDENCE = {"PCS": 0, "TAS": 1, "IEA": 2}
_ONSET_ROOT = "HP:0003674"


def build_graph(ontology: Ontology) -> KnowledgeGraph:
    """The whole graph. Deterministic: the same release gives the same graph in the same order."""
    graph = KnowledgeGraph(ontology.release)
    with _no_collection():
        _add_phenotypes(graph, ontology)
        canonical = _add_diseases(graph, ontology)
        _add_annotations(graph, ontology, canonical)
        _add_genes(graph, ontology, canonical)
        _add_specialties(graph)
    return graph


@contextmanager
def _no_collection() -> Iterator[None]:
    # Millions of live objects are made and none dies: the cyclic collector would only walk them again and again.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _add(graph: KnowledgeGraph, entity: Entity, facts: Facts) -> Entity:
    graph.entities[entity.id] = entity
    graph.facts[entity.id] = facts
    return entity


def _add_phenotypes(graph: KnowledgeGraph, ontology: Ontology) -> None:
    children: dict[str, list[str]] = defaultdict(list)
    for term in ontology.terms.values():
        for parent in term.parents:
            children[parent].append(term.id)
    branches = [each for each in children[PHENOTYPE_ROOT] if each != MUSCULOSKELETAL] + children[MUSCULOSKELETAL]
    systems: dict[str, Entity] = {}
    for branch in branches:
        name = adjective(branch, ontology.terms[branch].name)
        systems[branch] = _add(graph, Entity(f"system:{branch}", f"{name} system", "organ_system"), Facts((name,)))
    reached = _descend(children, PHENOTYPE_ROOT)
    nearest = _distances(children, branches)
    for identifier in ontology.terms:
        term = ontology.terms[identifier]
        if identifier in reached and not term.obsolete:
            ranked = sorted(nearest.get(identifier, {}).items(), key=lambda item: (item[1], branches.index(item[0])))
            adjectives = tuple(graph.facts[systems[branch].id].aliases[0] for branch, _ in ranked)
            facts = Facts(tuple(term.synonyms), systems=adjectives, term=term)
            entity = _add(graph, Entity(identifier, term.name, "phenotype"), facts)
            for branch, _ in ranked:
                graph.add(Relation(entity, "affects", systems[branch], provenance=_from_hpo(ontology)))
    for entity in graph.of_kind("phenotype"):
        for parent in ontology.terms[entity.id].parents:
            if parent in graph.entities:
                spatial = _spatial(graph, entity)
                graph.add(
                    Relation(entity, "is_a", graph.entities[parent], spatial=spatial, provenance=_from_hpo(ontology))
                )


def _from_hpo(ontology: Ontology) -> Mapping[str, str]:
    return {"reference": f"HPO {ontology.release}" if ontology.release else "HPO"}


def _descend(children: Mapping[str, list[str]], root: str) -> set[str]:
    """Ids strictly below `root`."""
    found: set[str] = set()
    pending = list(children.get(root, ()))
    while pending:
        current = pending.pop()
        if current not in found:
            found.add(current)
            pending += children.get(current, ())
    return found


def _distances(children: Mapping[str, list[str]], branches: list[str]) -> dict[str, dict[str, int]]:
    """Term id -> {branch: fewest is_a steps up to it}."""
    distances: dict[str, dict[str, int]] = defaultdict(dict)
    for branch in branches:
        level, steps = [branch], 0
        while level:
            below: list[str] = []
            for term in level:
                if branch not in distances[term]:
                    distances[term][branch] = steps
                    below += children.get(term, ())
            level, steps = below, steps + 1
    return distances


def _spatial(graph: KnowledgeGraph, phenotype: Entity) -> Mapping[str, str]:
    systems = graph.facts[phenotype.id].systems
    if not systems:
        return {}
    return {"organ_system": systems[0]} | ({"also": "; ".join(systems[1:])} if len(systems) > 1 else {})


def _add_diseases(graph: KnowledgeGraph, ontology: Ontology) -> dict[str, str]:
    """Add one disease for each normalised name; returns every catalogue id -> the id kept."""
    names: dict[str, str] = {}
    for annotation in ontology.annotations:
        names.setdefault(annotation.disease, annotation.disease_name)
    groups: dict[str, list[str]] = defaultdict(list)
    for identifier in sorted(names, key=_catalogue_order):
        groups[normalise(names[identifier])].append(identifier)
    canonical: dict[str, str] = {}
    for members in groups.values():
        spellings = list(dict.fromkeys(names[each] for each in members))
        name = next((each for each in spellings if "," not in each), spellings[0])
        others = dict.fromkeys(each for spelling in spellings for each in (spelling, natural_order(spelling)))
        facts = Facts(tuple(each for each in others if each != name), tuple(members[1:]))
        _add(graph, Entity(members[0], name, "disease"), facts)
        canonical |= dict.fromkeys(members, members[0])
    return canonical


def _catalogue_order(identifier: str) -> tuple[int, int]:
    catalogue, _, number = identifier.partition(":")
    return _CATALOGUES.get(catalogue, len(_CATALOGUES)), int(number)


def _add_annotations(graph: KnowledgeGraph, ontology: Ontology, canonical: Mapping[str, str]) -> None:
    findings: dict[tuple[str, str], list[Annotation]] = defaultdict(list)
    modes: dict[tuple[str, str, str], list[Annotation]] = defaultdict(list)
    children: dict[str, list[str]] = defaultdict(list)
    for term in ontology.terms.values():
        for parent in term.parents:
            children[parent].append(term.id)
    onsets = _descend(children, _ONSET_ROOT)
    for annotation in ontology.annotations:
        disease = canonical[annotation.disease]
        if annotation.aspect == "P" and annotation.term in graph.entities:
            findings[disease, annotation.term].append(annotation)
        elif annotation.aspect == "I" and not annotation.negated:
            modes[disease, "inherited_as", annotation.term].append(annotation)
        elif annotation.aspect == "C" and annotation.term in onsets and not annotation.negated:
            modes[disease, "has_onset", annotation.term].append(annotation)
    for (disease, finding), rows in findings.items():
        _add_finding(graph, ontology, graph.entities[disease], graph.entities[finding], rows)
    for (disease, predicate, mode), rows in modes.items():
        kind = "inheritance" if predicate == "inherited_as" else "onset"
        if mode not in graph.entities:
            _add(graph, Entity(mode, ontology.terms[mode].name, kind), Facts(term=ontology.terms[mode]))
        target = graph.entities[mode]
        if target.kind == kind:
            relation = Relation(
                graph.entities[disease], predicate, target, _temporal(ontology, rows), provenance=_provenance(rows)
            )
            graph.add(relation)


def _add_finding(
    graph: KnowledgeGraph, ontology: Ontology, disease: Entity, phenotype: Entity, rows: list[Annotation]
) -> None:
    positive = [row for row in rows if not row.negated]
    frequency = pool(tuple([row.frequency for row in positive]))
    if not positive or frequency.probability == 0:
        counted = {"frequency": frequency.text} if frequency.text else {}
        lacks = Relation(disease, "lacks", phenotype, clinical=counted, provenance=_provenance(rows))
        graph.facts[disease.id].absent += (lacks,)  # negative evidence is never an edge
        return
    clinical = frequency.clinical
    sexes = {row.sex.lower() for row in positive}
    if len(sexes) == 1 and "" not in sexes:
        clinical["sex"] = sexes.pop()
    temporal, spatial, provenance = _temporal(ontology, positive), _spatial(graph, phenotype), _provenance(positive)
    graph.add(Relation(disease, "has_finding", phenotype, temporal, spatial, clinical, provenance))
    graph.add(Relation(phenotype, "presents_in", disease, temporal, spatial, clinical, provenance))


def _temporal(ontology: Ontology, rows: list[Annotation]) -> Mapping[str, str]:
    onsets = dict.fromkeys(ontology.terms[row.onset].name for row in rows if row.onset)
    curated = max(row.curated for row in rows)
    return ({"onset": "; ".join(onsets)} if onsets else {}) | ({"curated": curated} if curated else {})


def _provenance(rows: list[Annotation]) -> Mapping[str, str]:
    best = min(rows, key=lambda row: EVIDENCE.get(row.evidence, len(EVIDENCE)))
    references = dict.fromkeys(each for row in rows for each in _split(row.reference))
    return {"reference": ";".join(references), "evidence": best.evidence}


@lru_cache(maxsize=1 << 16)
def _split(reference: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in reference.split(";") if each.strip())


def _add_genes(graph: KnowledgeGraph, ontology: Ontology, canonical: Mapping[str, str]) -> None:
    """Genes and their links. The link's reference is the catalogue's own entry: a traceable author statement."""
    links: dict[tuple[str, str], list[str]] = defaultdict(list)
    for gene, disease in ontology.links:
        links[gene, canonical[disease]].append(disease)
    for (gene, disease), references in links.items():
        if gene not in graph.entities:
            _add(graph, Entity(gene, ontology.genes[gene], "gene"), Facts())
        provenance = {"reference": ";".join(references), "evidence": "TAS"}
        source, target = graph.entities[gene], graph.entities[disease]
        graph.add(Relation(source, "causes", target, provenance=provenance))
        graph.add(Relation(target, "caused_by", source, provenance=provenance))


def _add_specialties(graph: KnowledgeGraph) -> None:
    found = {
        disease.id: votes(
            relation.spatial["organ_system"] for relation in graph.out(disease, "has_finding") if relation.spatial
        )
        for disease in graph.of_kind("disease")
    }
    usual = usual_shares(found.values())
    for identifier, of_disease in found.items():
        graph.facts[identifier].specialty = most_typical(of_disease, usual)
    for gene in graph.of_kind("gene"):
        graph.facts[gene.id].specialty = graph.facts[graph.out(gene, "causes")[0].object.id].specialty
    for phenotype in graph.of_kind("phenotype"):
        graph.facts[phenotype.id].specialty = most_typical(votes(graph.facts[phenotype.id].systems[:1]), usual)
