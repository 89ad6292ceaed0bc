from kisa.extraction import DictionaryExtractor, graph_names
from kisa.graph import KnowledgeGraph
from kisa.mentions import Name


def extract(extractor: DictionaryExtractor, text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(text[each.start : each.end], each.entities) for each in extractor.extract(text)]


def test_names_synonyms_and_everyday_words_of_the_graph(graph: KnowledgeGraph) -> None:
    extractor = DictionaryExtractor(graph_names(graph))
    text = "Alpha diseases (not aaa1, but AAA1) show skyish whites of the eyes and Long finger."
    assert extract(extractor, text) == [
        ("Alpha diseases", ("OMIM:1",)),
        ("AAA1", ("NCBIGene:11",)),
        ("skyish whites of the eyes", ("HP:1000001",)),
        ("Long finger", ("HP:1000003",)),
    ]
    assert extract(extractor, "Disease, alpha is alpha Disease.") == [
        ("Disease, alpha", ("OMIM:1",)),
        ("alpha Disease", ("OMIM:1",)),
    ]


def test_an_abbreviation_that_the_text_explains_is_followed() -> None:
    extractor = DictionaryExtractor([Name("Marfan syndrome", "M"), Name("lens", "L")])
    text = "MFS is rare. Marfan syndrome (MFS) shifts the lens; MFS, not MFSX or MEN (multiple endocrine news)."
    assert extract(extractor, text) == [
        ("MFS", ("M",)),
        ("Marfan syndrome", ("M",)),
        ("MFS", ("M",)),
        ("lens", ("L",)),
        ("MFS", ("M",)),
    ]
    assert extract(extractor, "The MFS of today, unlike Noonan syndrome (NS): NS") == []


def test_an_abbreviation_of_a_longer_phrase_that_ends_in_a_name() -> None:
    extractor = DictionaryExtractor([Name("dislocated lens", "L")])
    assert extract(extractor, "a badly dislocated lens (BDL), BDL again") == [
        ("dislocated lens", ("L",)),
        ("BDL", ("L",)),
        ("BDL", ("L",)),
    ]


def test_abbreviations_do_not_overlap() -> None:
    extractor = DictionaryExtractor([Name("alpha beta", "A"), Name("alpha beta cell", "C")])
    assert extract(extractor, "alpha beta (AB). alpha beta cell (AB-C). Then AB-C") == [
        ("alpha beta", ("A",)),
        ("AB", ("A",)),
        ("alpha beta cell", ("C",)),
        ("AB-C", ("C",)),
        ("AB-C", ("C",)),
    ]


def test_everyday_verbs_and_three_letters_are_no_findings(graph: KnowledgeGraph) -> None:
    facts = graph.facts["HP:1000001"]
    assert facts.term is not None
    facts.term.lay += ["Fall", "Fall of hair"]
    facts.aliases += ("CWPs",)
    extractor = DictionaryExtractor(graph_names(graph))
    assert extract(extractor, "They fall; CWP; CWPs; a fall of hair") == [
        ("CWPs", ("HP:1000001",)),
        ("fall of hair", ("HP:1000001",)),
    ]
