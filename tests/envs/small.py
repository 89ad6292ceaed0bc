"""A knowledge folder of a dozen documents, small enough to reason about by hand."""

from pathlib import Path

from envs.corpus import DiseaseProfile, Document, FindingName
from medrl.records import write_jsonl

DOCUMENTS = [
    Document(
        "OMIM:154700",
        "Marfan syndrome (OMIM:154700)",
        (
            "Gene: FBN1.",
            "Inheritance: Autosomal dominant.",
            "Cardiovascular findings: Aortic root aneurysm; Mitral valve prolapse.",
            "Ocular findings: Ectopia lentis; Myopia; Retinal detachment.",
            "Skeletal findings: Arachnodactyly; Pectus carinatum; Scoliosis.",
        ),
        "omim",
        "PCS",
        ("PMID:1",),
    ),
    Document(
        "ORPHA:284979",
        "Neonatal Marfan syndrome (ORPHA:284979)",
        ("Gene: FBN1.", "Ocular findings: Ectopia lentis; Megalocornea.", "Onset: Congenital onset."),
        "orphanet",
        "TAS",
    ),
    Document(
        "OMIM:236200",
        "Homocystinuria (OMIM:236200)",
        ("Gene: CBS.", "Inheritance: Autosomal recessive.", "Ocular findings: Ectopia lentis; Glaucoma."),
        "omim",
        "PCS",
    ),
    Document(
        "OMIM:100800",
        "Achondroplasia (OMIM:100800)",
        ("Gene: FGFR3.", "Inheritance: Autosomal dominant.", "Skeletal findings: Rhizomelia; Genu varum; Lordosis."),
        "omim",
        "PCS",
    ),
    Document(
        "DECIPHER:1",
        "Wolf-Hirschhorn syndrome (DECIPHER:1)",
        ("Gene: not known.", "Neurological findings: Seizure; Hypotonia.", "Onset: Antenatal onset."),
        "decipher",
        "IEA",
    ),
    Document(
        "NCBIGene:2200", "FBN1 (gene)", ("Diseases: Marfan syndrome; Neonatal Marfan syndrome.",), "ncbi_gene", ""
    ),
    Document("NCBIGene:875", "CBS (gene)", ("Diseases: Homocystinuria.",), "ncbi_gene", ""),
    Document("NCBIGene:2261", "FGFR3 (gene)", ("Diseases: Achondroplasia; Muenke syndrome.",), "ncbi_gene", ""),
    Document(
        "HP:0001083",
        "Ectopia lentis (finding)",
        ("Seen in: Marfan syndrome; Neonatal Marfan syndrome; Homocystinuria.", "A kind of: Abnormal lens morphology."),
        "hpo",
        "TAS",
    ),
    Document(
        "HP:0000768",
        "Pectus carinatum (finding)",
        (
            "Seen in 9 diseases, among them: Noonan syndrome 1; Marfan syndrome; Coffin-Lowry syndrome;"
            " Osteogenesis imperfecta, type XII; Mucolipidosis III alpha/beta; Frontometaphyseal dysplasia 2;"
            " Dyggve-Melchior-Clausen disease; Kniest dysplasia.",
            "A kind of: Abnormal sternum morphology.",
        ),
        "hpo",
        "TAS",
    ),
    Document("HP:0001250", "Seizure (finding)", ("Seen in: Wolf-Hirschhorn syndrome.",), "hpo", "IEA"),
    Document("OMIM:000001", "Ectopia lentis (OMIM:000001)", ("Gene: ADAMTSL4.",), "omim", "IEA"),
]

WEB = [
    Document(
        "web:HP:0000768",
        "Pectus carinatum",
        ("In everyday words: Pigeon chest.", "A deformity of the chest with protrusion of the sternum."),
        "web",
        "",
    ),
    Document("web:HP:0001083", "Ectopia lentis", ("Dislocation of the lens of the eye.",), "web", ""),
    Document(
        "web:HP:0001166", "Arachnodactyly", ("In everyday words: Long slender fingers; Spider fingers.",), "web", ""
    ),
]

FINDINGS = [
    FindingName("HP:0001083", "Ectopia lentis", ("Dislocated lens", "Lens dislocation")),
    FindingName("HP:0000768", "Pectus carinatum", ("Pigeon chest",)),
    FindingName("HP:0001166", "Arachnodactyly", ("Spider fingers",)),
    FindingName("HP:0001250", "Seizure", ("Seizures", "Fit")),
    FindingName("HP:0009999", "Convulsive fit", ("Fit",)),
    FindingName("HP:0008888", "Sjögren sign", ()),
]

PROFILES = [
    DiseaseProfile(
        "OMIM:154700",
        "Marfan syndrome",
        {
            "HP:0001083": (0.6, "PMID:1 6/10"),
            "HP:0000768": (0.3, "PMID:2 3/10"),
            "HP:0001166": (0.9, "OMIM:154700 very frequent"),
        },
        ("Autosomal dominant inheritance",),
        ("Childhood onset",),
    ),
    DiseaseProfile(
        "OMIM:236200",
        "Homocystinuria",
        {"HP:0001083": (0.8, "PMID:3 8/10"), "HP:0001250": (0.2, "PMID:4 1/5")},
        ("Autosomal recessive inheritance",),
    ),
    DiseaseProfile("DECIPHER:1", "Wolf-Hirschhorn syndrome", {"HP:0001250": (1.0, "PMID:5 7/7")}, prior=3.0),
    DiseaseProfile("OMIM:100800", "Achondroplasia", {"HP:0000768": (0.00005, "PMID:6 1/20000")}),
]


def write_knowledge(folder: Path) -> Path:
    """The four files of a knowledge folder."""
    write_jsonl(folder / "corpus.jsonl", DOCUMENTS)
    write_jsonl(folder / "web.jsonl", WEB)
    write_jsonl(folder / "profiles.jsonl", PROFILES)
    write_jsonl(folder / "findings.jsonl", FINDINGS)
    return folder
