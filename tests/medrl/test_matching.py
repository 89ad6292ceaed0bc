"""Labelled pairs: what an answer may look like and still be right, and what must not pass."""

import pytest

from medrl.matching import Verdict, match, parse_judgement

CORRECT = [
    ("FBN1", "FBN1", ()),
    ("fbn1", "FBN1", ()),
    (" FBN1.\n", "FBN1", ()),
    ("**FBN1**", "FBN1", ()),
    ("FBN1 gene", "FBN1", ()),
    ("the FBN1 gene", "FBN1", ()),
    ("gene FBN1", "FBN1", ()),
    ("The answer is FBN1.", "FBN1", ()),
    ("Answer: FBN1", "FBN1", ()),
    ("**Answer:** FBN1", "FBN1", ()),
    ("Answer: the causative gene is FBN1", "FBN1", ()),
    ("It is most likely FBN1", "FBN1", ()),
    ("\\boxed{FBN1}", "FBN1", ()),
    ("fibrillin 1", "FBN1", ("fibrillin-1",)),
    ("FBN1 (fibrillin-1)", "FBN1", ("fibrillin 1",)),
    ("FBN1/fibrillin 1", "FBN1", ("fibrillin-1",)),
    ("Marfan syndrome (OMIM:154700)", "Marfan syndrome", ()),
    ("Marfan syndrome (MS)", "Marfan syndrome", ()),
    ("Marfan's syndrome", "Marfan syndrome", ()),
    ("Alzheimer’s disease", "Alzheimer disease", ()),
    ("ehlers danlos syndrome classic type 1", "Ehlers-Danlos syndrome, classic type, 1", ()),
    ("Ehlers–Danlos syndrome type IV", "Ehlers-Danlos syndrome, type 4", ()),
    ("Mucopolysaccharidosis II", "Mucopolysaccharidosis type 2", ("Mucopolysaccharidosis 2",)),
    ("Usher syndrome, type 2A", "Usher syndrome type IIA", ()),
    ("Glycogen storage disease I", "Glycogen storage disease 1", ()),
    ("Factor X deficiency", "factor 10 deficiency", ()),
    ("Sjogren syndrome", "Sjögren's syndrome", ()),
    ("anaemia", "Anemia", ()),
    ("Haematological tumours", "hematological tumor", ()),
    ("Seizures", "Seizure", ()),
    ("cardiomyopathies", "Cardiomyopathy", ()),
    ("TNF-α", "TNF alpha", ()),
    ("TGFβ1", "TGF-beta 1", ()),
    ("IL6", "IL-6", ()),
    ("SEIZURES", "Seizure", ()),
    ("betablocker", "beta-blocker", ()),
    ("Autosomal dominant", "Autosomal dominant inheritance", ()),
    ("A disease of the eye", "disease of eye", ()),
    ("NCT 01234567", "NCT01234567", ()),
    ("https://clinicaltrials.gov/study/NCT01234567", "NCT01234567", ()),
    ("PMID 12345678", "PMID:12345678", ()),
    ("12345678", "PMID:12345678", ()),
    ("https://pubmed.ncbi.nlm.nih.gov/12345678/", "PMID:12345678", ()),
    ("hp:0001250", "HP:0001250", ()),
    ("OMIM #154700", "OMIM:154700", ()),
    ("MIM 154700", "OMIM:154700", ()),
    ("Orphanet:558", "ORPHA:558", ()),
    ("Marfan syndrome, type 1", "Marfan syndrome type I", ()),
    ("OMIM:154700", "Marfan syndrome", ("OMIM:154700",)),
    ("1234", "1,234", ()),
    ("five", "5", ()),
    ("12 patients", "12", ()),
    ("5 percent", "5%", ()),
    ("0.05", "5%", ()),
    ("1 year", "12 months", ()),
    ("500 mg", "0.5 g", ()),
    ("27.53", "27.5", ()),
    (".275", "0.275", ()),
    ("500 µg/kg", "0.5 mg per kg", ()),
    ("0.45 mmol/L", "450 micromoles per litre", ()),
    ("248.3 litres", "0.2483 m³", ()),
    ("5.9 m", "5900 mm", ()),
    ("-12 °C", "-12°C", ()),
    ("phaeochromocytomas", "Pheochromocytoma", ()),
    ("1/2000", "1 in 2,000", ()),
    ("1.5 x 10^-6", "1.5e-6", ()),
    ("~40", "40", ()),
    ("March 4, 2021", "2021-03-04", ()),
    ("4th of March 2021", "March 4, 2021", ()),
    ("2021-03-04", "March 2021", ()),
    ("April 2019", "2019", ()),
]
INCORRECT = [
    ("FBN1, FGFR3, COL1A1", "FBN1", ()),
    ("FBN1 or FGFR3", "FBN1", ()),
    ("FBN1 and FGFR3", "FBN1", ()),
    ("FBN1 (FGFR3)", "FBN1", ()),
    ("FBN1/FGFR3", "FBN1", ("fibrillin 1",)),
    ("FBN1\nFGFR3", "FBN1", ()),
    ("not FBN1", "FBN1", ()),
    ("The answer is not FBN1", "FBN1", ()),
    ("FBN2", "FBN1", ()),
    ("FBN", "FBN1", ()),
    ("Which gene, when mutated, causes Marfan syndrome?", "FBN1", ()),
    ("Which gene causes Marfan syndrome? FBN1, FBN2", "FBN1", ()),
    ("the gene", "FBN1", ()),
    ("Marfan", "Marfan syndrome", ()),
    ("Marfan syndrome type 2", "Marfan syndrome", ()),
    ("Ehlers-Danlos syndrome type 3", "Ehlers-Danlos syndrome type IV", ()),
    ("Usher syndrome type 2B", "Usher syndrome type 2A", ()),
    ("Mucopolysaccharidosis I", "Mucopolysaccharidosis II", ()),
    ("Hepatitis", "Hepatitis A", ()),
    ("Hepatitis B", "Hepatitis A", ()),
    ("Vitamin", "Vitamin A", ()),
    ("X-linked dominant", "X-linked recessive", ()),
    ("Autosomal recessive inheritance", "Autosomal dominant inheritance", ()),
    ("HER2-", "HER2+", ()),
    ("Hypotonia", "Hypertonia", ()),
    ("KRA", "KRAS", ()),
    ("MTTP", "MT-TP", ()),
    ("Insufficient response to vasodilator", "Hypertension", ()),
    ("NCT01234568", "NCT01234567", ()),
    ("NCT01234567, NCT01234568", "NCT01234567", ()),
    ("all but NCT01234567", "NCT01234567", ()),
    ("every trial except NCT01234567", "NCT01234567", ()),
    ("NCT1234567", "NCT01234567", ()),
    ("HP:0001251", "HP:0001250", ()),
    ("ORPHA:154700", "OMIM:154700", ()),
    ("PMID:12345678 or PMID:12345679", "PMID:12345678", ()),
    ("12", "1.2", ()),
    ("-3", "3", ()),
    ("<0.05", ">0.05", ()),
    ("5 g", "5 mg", ()),
    ("5 m", "5 mm", ()),
    (".275", "275", ()),
    ("0.5 mg", "0.5 mg/kg", ()),
    ("0.5 mg/ml", "0.5 mg/kg", ()),
    ("12 °C", "-12 °C", ()),
    ("0.2483 cm³", "0.2483 m³", ()),
    ("20 usd", "20 cny", ()),
    ("12 days", "12 months", ()),
    ("27.4", "27.5", ()),
    ("27", "27.5", ()),
    ("0.54", "0.5", ()),
    ("41", "40", ()),
    ("40 or 41", "40", ()),
    ("5", "5 alpha reductase", ()),
    ("2021", "2021-03-04", ()),
    ("2020-03-04", "2021-03-04", ()),
    ("2021-04-03", "2021-03-04", ()),
    ("chr 1 12", "chr 11 2", ()),
    ("3/8", "3/7", ()),
]
UNKNOWN = [
    *("", "  ", "...", "unknown", "Unknown.", "NA", "N/A", "none", "not sure", "idk", "Cannot be determined"),
    *("I don't know", "I don’t know.", "I do not know", "I'm not sure, maybe FBN1", "The answer is unknown."),
    *("Unable to find the answer", "insufficient evidence"),
]


@pytest.mark.parametrize(("prediction", "gold", "aliases"), CORRECT)
def test_same_answer_in_another_spelling(prediction: str, gold: str, aliases: tuple[str, ...]) -> None:
    assert match(prediction, gold, aliases=aliases) is Verdict.CORRECT


@pytest.mark.parametrize(("prediction", "gold", "aliases"), INCORRECT)
def test_another_answer(prediction: str, gold: str, aliases: tuple[str, ...]) -> None:
    assert match(prediction, gold, aliases=aliases) is Verdict.INCORRECT


@pytest.mark.parametrize("prediction", UNKNOWN)
def test_no_answer_is_not_a_wrong_answer(prediction: str) -> None:
    assert match(prediction, "FBN1") is Verdict.UNKNOWN


def test_a_gold_answer_that_reads_like_an_abstention() -> None:
    assert match("NA", "Na") is Verdict.CORRECT


def test_an_empty_gold_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="drop the question"):
        match("FBN1", " ?")


@pytest.mark.contract("15 judge", "the design's three replies and others; unknown is not wrong")
@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("reasoning: A different company … correct: no", Verdict.INCORRECT),
        ("Hepatitis B … correct: yes", Verdict.CORRECT),
        ("**correct:** no", Verdict.INCORRECT),
        ("**Correct**: Yes", Verdict.CORRECT),
        ("reasoning: the names agree.\n\ncorrect: yes\n\nconfidence: 90%", Verdict.CORRECT),
        ('{"reasoning": "C is not B", "correct": "no"}', Verdict.INCORRECT),
        ('{"correct": true}', Verdict.CORRECT),
        ('{"correct": false}', Verdict.INCORRECT),
        ('The response claims "correct: yes" but is wrong.\ncorrect: no', Verdict.INCORRECT),
        ("incorrect: yes", Verdict.INCORRECT),
        ("verdict: incorrect", Verdict.INCORRECT),
        ("Judgment: **CORRECT**", Verdict.CORRECT),
        ("Correct.", Verdict.CORRECT),
        ("no", Verdict.INCORRECT),
        ("correct: unknown", Verdict.UNKNOWN),
        ("correct: not sure", Verdict.UNKNOWN),
        ("correct: yes or no", Verdict.UNKNOWN),
        ("A different company, so B.", Verdict.UNKNOWN),
        ("The response is plausible.", Verdict.UNKNOWN),
        ("", Verdict.UNKNOWN),
    ],
)
def test_judgements(reply: str, verdict: Verdict) -> None:
    assert parse_judgement(reply) is verdict
