from kisa.observations import is_complete, read_diagnosis, read_hits, read_lists


def test_read_hits() -> None:
    text = (
        "[1] Marfan syndrome (OMIM:154700): Gene: FBN1. Inheritance: Autosomal dominant.\n"
        "[2] FBN1 (gene): Diseases: Marfan syndrome; …; Weill-Marchesani syndrome 2\n"
        "[3] Ectopia lentis (finding)\n"
        "[4] Dislocated lens (web:HP:0001083): In everyday words: Slipped lens."
    )
    first, second, third, fourth = read_hits(text)
    assert (first.title, first.mark) == ("Marfan syndrome (OMIM:154700)", "OMIM:154700")
    assert first.listed("Gene", "Genes") == ("FBN1",)
    assert second.listed("Diseases") == ("Marfan syndrome", "…", "Weill-Marchesani syndrome 2")
    assert not is_complete(second.listed("Diseases"))
    assert (third.name, third.mark, third.lists) == ("Ectopia lentis", "finding", ())
    assert (fourth.name, fourth.listed("In everyday words")) == ("Dislocated lens", ("Slipped lens",))


def test_names_with_full_stops_and_parentheses_survive() -> None:
    text = "Diseases: 22q11.2 deletion syndrome; Deafness (X-linked). Also known as: DGS."
    assert dict(read_lists(text)) == {
        "Diseases": ("22q11.2 deletion syndrome", "Deafness (X-linked)"),
        "Also known as": ("DGS",),
    }


def test_a_name_cut_by_the_token_limit_is_no_name() -> None:
    ((_, names),) = read_lists("Diseases: Marfan syndrome; Weill-Mar …")
    assert names == ("Marfan syndrome", "…")
    assert not is_complete(names)
    assert not is_complete(())


def test_read_diagnosis() -> None:
    text = "1. Pallister-Hall syndrome (OMIM:146510) P=0.97; Bifid epiglottis 0.50\n2. Other (ORPHA:1) P=0.01"
    assert read_diagnosis(text) == "Pallister-Hall syndrome"
    assert read_diagnosis("clinical_reasoning: unknown finding") is None
