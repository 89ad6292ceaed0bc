"""A hand-written ontology, small enough to check every count by eye.

Alpha disease   gene AAA1   findings: Blue sclera (only here), Tall stature, Long fingers (7/10)
Beta syndrome   gene AAA1   findings: Tall stature, Heart murmur (very rare), Cleft lip (0/5: absent)
Gamma anomaly   genes BBB2, CCC3   findings: Heart murmur, Tall stature (NOT), Marbled iris
Delta disease   no gene     findings: Long fingers, Slender fingers
"""

from pathlib import Path

TERMS = {
    "HP:0000001": ("All", [], ""),
    "HP:0000118": ("Phenotypic abnormality", ["HP:0000001"], ""),
    "HP:0000005": ("Mode of inheritance", ["HP:0000001"], ""),
    "HP:0000006": ("Autosomal dominant inheritance", ["HP:0000005"], ""),
    "HP:0003674": ("Onset", ["HP:0000001"], ""),
    "HP:0003577": ("Congenital onset", ["HP:0003674"], ""),
    "HP:0040279": ("Frequency", ["HP:0000001"], ""),
    "HP:0040284": ("Very rare", ["HP:0040279"], ""),
    "HP:0000478": ("Abnormality of the eye", ["HP:0000118"], ""),
    "HP:0001626": ("Abnormality of the cardiovascular system", ["HP:0000118"], ""),
    "HP:0001507": ("Growth abnormality", ["HP:0000118"], ""),
    "HP:0033127": ("Abnormality of the musculoskeletal system", ["HP:0000118"], ""),
    "HP:0000924": ("Abnormality of the skeletal system", ["HP:0033127"], ""),
    "HP:0040064": ("Abnormality of limbs", ["HP:0000118"], ""),
    "HP:1000001": ("Blue sclera", ["HP:0000478"], "Skyish whites of the eyes"),
    "HP:1000002": ("Tall stature", ["HP:0001507"], ""),
    "HP:1000003": ("Long fingers", ["HP:0040064", "HP:0000924"], ""),
    "HP:1000004": ("Slender fingers", ["HP:1000003"], ""),
    "HP:1000005": ("Heart murmur", ["HP:0001626"], ""),
    "HP:1000006": ("Marbled iris", ["HP:0000478"], ""),
    "HP:1000007": ("Cleft lip", ["HP:0000118"], ""),
}
#: disease, name, qualifier, term, reference, evidence, onset, frequency, sex, aspect, curation
ROWS = [
    ("OMIM:1", "Alpha disease", "", "HP:1000001", "PMID:1", "PCS", "", "3/7", "", "P", "HPO:x[2020-01-01]"),
    ("ORPHA:9", "Disease, alpha", "", "HP:1000001", "ORPHA:9", "TAS", "", "", "", "P", "HPO:x[2021-05-06]"),
    ("OMIM:1", "Alpha disease", "", "HP:1000002", "PMID:2", "PCS", "HP:0003577", "", "MALE", "P", "HPO:x[2019-02-03]"),
    ("OMIM:1", "Alpha disease", "", "HP:1000003", "PMID:1", "PCS", "", "3/5", "", "P", "HPO:x[2020-01-01]"),
    ("OMIM:1", "Alpha disease", "", "HP:1000003", "PMID:3", "IEA", "", "4/5", "", "P", "HPO:x[2020-01-01]"),
    ("OMIM:1", "Alpha disease", "", "HP:0000006", "PMID:1", "PCS", "", "", "", "I", "HPO:x[2020-01-01]"),
    ("OMIM:1", "Alpha disease", "", "HP:0003577", "PMID:1", "PCS", "", "", "", "C", "HPO:x[2020-01-01]"),
    ("OMIM:2", "Beta syndrome", "", "HP:1000002", "PMID:4", "TAS", "", "45%", "", "P", "HPO:x[2020-01-01]"),
    ("OMIM:2", "Beta syndrome", "", "HP:1000005", "PMID:4", "TAS", "", "HP:0040284", "", "P", "HPO:x[2020-01-01]"),
    ("OMIM:2", "Beta syndrome", "", "HP:1000007", "PMID:4", "PCS", "", "0/5", "", "P", "HPO:x[2020-01-01]"),
    ("OMIM:3", "Gamma anomaly", "", "HP:1000005", "OMIM:3", "IEA", "", "", "", "P", "HPO:x[2020-01-01]"),
    ("OMIM:3", "Gamma anomaly", "NOT", "HP:1000002", "OMIM:3", "TAS", "", "", "", "P", "HPO:x[2020-01-01]"),
    ("OMIM:3", "Gamma anomaly", "", "HP:1000006", "OMIM:3", "TAS", "", "", "", "P", "HPO:x[2020-01-01]"),
    ("OMIM:4", "Delta disease", "", "HP:1000003", "OMIM:4", "TAS", "", "", "", "P", "HPO:x[2020-01-01]"),
    ("OMIM:4", "Delta disease", "", "HP:1000004", "OMIM:4", "TAS", "", "", "", "P", "HPO:x[2020-01-01]"),
]
LINKS = [("11", "AAA1", "OMIM:1"), ("11", "AAA1", "OMIM:2"), ("22", "BBB2", "OMIM:3"), ("33", "CCC3", "OMIM:3")]


def obo() -> str:
    stanzas = ["format-version: 1.2\ndata-version: hp/releases/2025-01-16\n"]
    for identifier, (name, parents, lay) in TERMS.items():
        lines = ["[Term]", f"id: {identifier}", f"name: {name}"]
        if identifier.startswith("HP:1"):
            lines.append(f'def: "A \\"{name.lower()}\\" is described. It is seen." [PMID:1]')
        if lay:
            lines.append(f'synonym: "{lay}" EXACT layperson []')
        lines += [f"is_a: {parent} ! {TERMS[parent][0]}" for parent in parents]
        stanzas.append("\n".join(lines) + "\n")
    return "\n".join(stanzas)


def hpoa() -> str:
    header = (
        "database_id disease_name qualifier hpo_id reference evidence onset frequency sex modifier aspect biocuration"
    )
    rows = ["\t".join((*row[:9], "", *row[9:])) for row in ROWS]
    return "\n".join(["#description: a test", "\t".join(header.split()), *rows]) + "\n"


def genes() -> str:
    header = "ncbi_gene_id gene_symbol hpo_id hpo_name frequency disease_id"
    rows = ["\t".join((gene, symbol, "HP:1000002", "Tall stature", "-", disease)) for gene, symbol, disease in LINKS]
    return "\n".join(["\t".join(header.split()), *rows]) + "\n"


def write_ontology(folder: Path) -> Path:
    """The three files, as `knowledge.ontology` takes them; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hp.obo").write_text(obo(), encoding="utf-8")
    (folder / "phenotype.hpoa").write_text(hpoa(), encoding="utf-8")
    (folder / "genes_to_phenotype.txt").write_text(genes(), encoding="utf-8")
    return folder
