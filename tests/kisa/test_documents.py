import json

from envs.corpus import DiseaseProfile, Document
from kisa.documents import finding_names, medical_documents, profiles, web_documents
from kisa.frequency import UNKNOWN
from kisa.graph import KnowledgeGraph
from kisa.observations import read_lists


def _medical(graph: KnowledgeGraph) -> dict[str, Document]:
    return {document.id: document for document in medical_documents(graph)}


def test_disease_document_says_the_most_important_first(graph: KnowledgeGraph) -> None:
    document = _medical(graph)["OMIM:1"]
    assert document.title == "Alpha disease (OMIM:1)"
    assert document.sections == (
        "Gene: AAA1.",
        "Inheritance: Autosomal dominant.",
        "Onset: Congenital onset.",
        "Limb findings: Long fingers.",
        "Growth findings: Tall stature.",
        "Ocular findings: Blue sclera.",
        "Frequent findings (30-79%): Long fingers; Blue sclera.",
        "Also known as: Disease, alpha; alpha Disease; ORPHA:9.",
    )
    assert (document.source, document.evidence) == ("omim", "PCS")
    assert document.references == ("OMIM:1", "PMID:1", "PMID:3", "PMID:2", "ORPHA:9")


def test_absent_findings_are_told_apart_from_present_ones(graph: KnowledgeGraph) -> None:
    sections = _medical(graph)["OMIM:2"].sections
    assert "Absent: Cleft lip." in sections
    assert not any("Cleft lip" in section for section in sections if not section.startswith("Absent"))


def test_gene_and_finding_documents(graph: KnowledgeGraph) -> None:
    documents = _medical(graph)
    assert documents["NCBIGene:11"].title == "AAA1 (gene)"
    assert documents["NCBIGene:11"].sections == ("Diseases: Alpha disease; Beta syndrome.",)
    assert documents["OMIM:3"].sections[0] == "Genes: BBB2; CCC3."
    assert documents["OMIM:4"].sections[0] == "Gene: not known."
    assert documents["HP:1000003"].title == "Long fingers (finding)"
    assert documents["HP:1000003"].sections == (
        "Seen in: Alpha disease; Delta disease.",
        "A kind of: Abnormality of limbs; Abnormality of the skeletal system.",
        "Organ system: limb; skeletal.",
        "Narrower findings: Slender fingers.",
    )
    assert "HP:1000007" not in documents  # only known to be absent


def test_everyday_words_are_in_the_web_index_alone(graph: KnowledgeGraph) -> None:
    web = {document.title: document for document in web_documents(graph)}
    assert web["Blue sclera"].sections == (
        "In everyday words: Skyish whites of the eyes.",
        'A "blue sclera" is described.',
        "It is seen.",
    )
    assert "Skyish" not in json.dumps([document.sections for document in medical_documents(graph)])


def test_profiles_give_each_figure_a_source(graph: KnowledgeGraph) -> None:
    by_id: dict[str, DiseaseProfile] = {profile.id: profile for profile in profiles(graph)}
    assert by_id["OMIM:1"].findings == {
        "HP:1000001": ((3 + 1) / (7 + 2), "PMID:1 3/7"),
        "HP:1000002": (UNKNOWN, "PMID:2 frequency unknown"),
        "HP:1000003": ((7 + 1) / (10 + 2), "PMID:1 7/10"),
    }
    assert by_id["OMIM:2"].findings["HP:1000005"] == (0.025, "PMID:4 very rare")
    assert by_id["OMIM:1"].inheritance == ("Autosomal dominant inheritance",)
    assert by_id["OMIM:2"].absent == {"HP:1000007": (5, "PMID:4 0/5")}
    assert by_id["OMIM:3"].absent == {"HP:1000002": (0, "OMIM:3 absent")}
    assert by_id["OMIM:1"].only_in == {"HP:1000002": "male"} and by_id["OMIM:2"].only_in == {}
    named = {finding.id: finding for finding in finding_names(graph)}
    assert named["HP:1000003"].parents == ("HP:0040064", "HP:0000924")
    assert {each for profile in by_id.values() for each in profile.findings} <= set(named)
    assert all(parent in named for finding in named.values() for parent in finding.parents)
    assert named["HP:1000001"].synonyms == ("Skyish whites of the eyes",)


def test_prevalence_is_a_prior_under_any_id_of_the_disease(graph: KnowledgeGraph) -> None:
    classes = {"ORPHA:9": "1-9 / 100 000", "OMIM:1": "<1 / 1 000 000", "OMIM:4": "Unknown"}
    by_id = {profile.id: (profile.prior, profile.prevalence) for profile in profiles(graph, classes)}
    assert by_id["OMIM:1"] == (10.0, "1-9 / 100 000")  # the commonest of the two
    assert by_id["OMIM:2"] == (1.0, "") and by_id["OMIM:4"] == (1.0, "Unknown")


def test_every_listing_is_read_back(graph: KnowledgeGraph) -> None:
    document = _medical(graph)["OMIM:1"]
    assert dict(read_lists(" ".join(document.sections)))["Frequent findings (30-79%)"] == (
        "Long fingers",
        "Blue sclera",
    )
    assert len(read_lists(" ".join(document.sections))) == len(document.sections)
