"""What the policy is shown of a differential, and how its mistakes are told."""

import asyncio
import re
from typing import Any

import pytest

from envs.corpus import Document
from envs.library import Library
from envs.profiles import ProfileTable
from envs.reasoning.engine import ClinicalReasoningEngine
from envs.retrieval.embedding import Floats
from envs.retrieval.index import Index
from envs.sources.base import Candidate
from envs.text import estimate_tokens
from envs.tools.base import ToolResult
from envs.tools.clinical_reasoning import ClinicalReasoning
from kisa.observations import read_diagnosis
from medrl.chat import system_prompt
from medrl.errors import ToolOutage
from tests.envs.reasoning.family import CONSTANTS
from tests.envs.small import FINDINGS, PROFILES
from tests.oracles_diagnosis import DiagnosisOracle


@pytest.fixture(scope="module")
def engine(table: ProfileTable) -> ClinicalReasoningEngine:
    return ClinicalReasoningEngine(table)


def call(
    engine: ClinicalReasoningEngine, findings: list[str], limit: int = 150, **more: Any
) -> tuple[str, tuple[str, ...], bool]:
    result = asyncio.run(ClinicalReasoning(engine, limit).call({"findings": findings, **more}))
    return result.text, result.sources, result.is_mistake


def test_what_the_policy_is_shown(engine: ClinicalReasoningEngine) -> None:
    names = ["Ectopia lentis", "Pigeon chest"]
    text, sources, is_mistake = call(engine, names)
    first = text.splitlines()[0]
    oracle = DiagnosisOracle(PROFILES, {finding.id: () for finding in FINDINGS}, CONSTANTS)
    expected = oracle.posterior(["HP:0001083", "HP:0000768"])["OMIM:154700"]
    assert "Ectopia lentis 0.60 (PMID:1 6/10); Pectus carinatum 0.30 (PMID:2 3/10)" in call(engine, names, 400)[0]
    assert first.startswith(f"1. Marfan syndrome (OMIM:154700) P={expected:.2f}; Ectopia lentis 0.60")
    assert "Pectus carinatum 0.30" in first and sources[0] == "OMIM:154700" and len(sources) == 3 and not is_mistake
    assert read_diagnosis(text) == "Marfan syndrome"


def test_all_that_a_reader_needs_to_check_a_probability(engine: ClinicalReasoningEngine) -> None:
    text, _, _ = call(engine, ["Ectopia lentis"], 400, absent=["Seizure"], sex="male")
    first, last = text.splitlines()[0], text.splitlines()[-1]
    figures = {name: float(value) for name, value in re.findall(r"(lentis|no Seizure|prior) ([\d.e-]+)", first)}
    evidence = float(re.findall(r"/ ([\d.e-]+), over 4 diseases", last)[0])
    stated = float(re.findall(r"P=([\d.]+)", first)[0])
    assert figures.keys() == {"lentis", "no Seizure", "prior"}
    product = figures["lentis"] * figures["no Seizure"] * figures["prior"]
    assert product / evidence == pytest.approx(stated, abs=0.03)


def test_context_changes_the_answer(engine: ClinicalReasoningEngine) -> None:
    # Homocystinuria shows ectopia lentis more often; inheritance, onset and seizures speak against it.
    assert call(engine, ["Ectopia lentis"])[1][0] == "OMIM:236200"
    assert call(engine, ["Ectopia lentis"], inheritance="autosomal dominant")[1][0] == "OMIM:154700"
    assert call(engine, ["Ectopia lentis"], onset=3)[1][0] == "OMIM:154700"
    assert call(engine, ["Seizure"])[1][0] == "DECIPHER:1"
    assert call(engine, ["Ectopia lentis"], absent=["Seizure", "fit, convulsive"])[2]


class Journal:
    """Studies by id; one that is asked for and is not there is an outage."""

    name = "journal"

    def __init__(self, **studies: tuple[str, str]) -> None:
        self._studies = {f"PMID:{number[1:]}": said for number, said in studies.items()}

    async def candidates(self, query: str, vector: Floats, k: int) -> list[Candidate]:
        return []

    async def document(self, id: str) -> Document | None:
        if id == "PMID:0":
            raise ToolOutage("journal: no connection")
        title, text = self._studies.get(id, ("", ""))
        return Document(id, title, (text,), "pubmed", "") if title else None


STUDIES = Journal(
    p11=("Ocular signs of Homocystinuria", "Ectopia lentis was seen in 20 of 40 patients."),
    p12=("Homocystinuria and Marfan syndrome", "Ectopia lentis was seen in 20 of 40 patients."),
    p13=("Course of homocystinuria", "Nothing is counted here."),
    p14=("Neonatal care", "Ectopia lentis was seen in 20 of 40 patients."),
)


def with_studies(engine: ClinicalReasoningEngine, index: Index, *documents: str) -> ToolResult:
    tool = ClinicalReasoning(engine, 400, library=Library(index, [STUDIES]))
    return asyncio.run(tool.call({"findings": ["Dislocated lens"], "documents": list(documents)}))


def test_a_study_that_was_retrieved_updates_its_disease(engine: ClinicalReasoningEngine, index: Index) -> None:
    before, after = with_studies(engine, index), with_studies(engine, index, "PMID:11", " PMID:11 ")
    assert before.sources[0] == "OMIM:236200" and after.sources[0] == "OMIM:154700"
    # 0.8 annotated, which counts for two patients, and twenty of forty: (1.6 + 20) / 42.
    line = next(each for each in after.text.splitlines() if "OMIM:236200" in each)
    assert "Ectopia lentis 0.51" in line and "PMID:11 20/40" in line


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("PMID:12", "PMID:12 is not about one disease that is known; leave it out"),
        ("PMID:13", "PMID:13 counts none of these findings; leave it out"),
        ("PMID:14", "PMID:14 is not about one disease that is known; leave it out"),
        ("PMID:15", "no document 'PMID:15'"),
    ],
)
def test_a_document_that_is_no_evidence(
    engine: ClinicalReasoningEngine, index: Index, document: str, said: str
) -> None:
    result = with_studies(engine, index, document)
    assert result.is_mistake and said in result.text


def test_evidence_that_cannot_be_reached_is_an_outage(engine: ClinicalReasoningEngine, index: Index) -> None:
    with pytest.raises(ToolOutage):
        with_studies(engine, index, "PMID:0")


@pytest.mark.parametrize(("limit", "named"), [(40, 1), (60, 2), (100, 3), (150, 3)])
def test_text_keeps_to_the_limit(engine: ClinicalReasoningEngine, limit: int, named: int) -> None:
    names = ["Ectopia lentis", "Pectus carinatum", "Arachnodactyly", "Seizure"]
    text, sources, _ = call(engine, names, limit)
    assert len(sources) == named and len(text.splitlines()) in (named, named + 1)
    assert estimate_tokens(text) <= limit
    assert read_diagnosis(text) == "Marfan syndrome"


def test_unknown_finding_is_a_mistake_that_helps(engine: ClinicalReasoningEngine) -> None:
    text, sources, is_mistake = call(engine, ["Ectopia lentis", "Siezure"])
    assert is_mistake and sources == () and "nearest: Seizure" in text
    text, _, is_mistake = call(engine, ["Ectopia lentis"], absent=["Siezure"])
    assert is_mistake and "nearest: Seizure" in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"sex": "m"}, '`sex` must be "male" or "female". Expected {"findings": ["...", "..."], "sex": "male"}.'),
        ({"onset": []}, "`onset` must be of type string or number"),
        ({"onset": -1}, "`onset` is below 0"),
        ({"onset": "soon"}, "neither an age such as '3 years' nor a class"),
        ({"absent": "Seizure"}, '`absent` must be of type array. Expected {"findings": ["...", "..."], "absent"'),
        ({"absent": ["Ectopia lentis"]}, "'Ectopia lentis' is stated and 'Ectopia lentis' is said to be absent"),
        ({"inheritance": "by post"}, "unknown inheritance 'by post'; nearest: "),
        ({"age": 3}, "there is no argument `age`"),
    ],
)
def test_each_fault_is_told(engine: ClinicalReasoningEngine, more: dict[str, Any], said: str) -> None:
    text, sources, is_mistake = call(engine, ["Ectopia lentis"], **more)
    assert is_mistake and sources == () and text.startswith("clinical_reasoning: ") and said in text


def test_the_system_prompt_stays_short(engine: ClinicalReasoningEngine) -> None:
    line = system_prompt([ClinicalReasoning(engine, 150)]).splitlines()[-1]
    arguments = "findings, absent, documents, sex, onset, inheritance"
    assert line == f"clinical_reasoning({arguments}): Rank diseases by the findings they show."
