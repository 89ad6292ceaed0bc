"""How well names are found: `python benchmarks/mentions.py --cdr CDR.txt --ncbi devel.tsv --drugs indications.tsv`.

Precision, recall and F1 against two gold corpora, counting mentions whose two ends agree (exact) and ones that overlap:
the BioCreative V CDR corpus (PubTator format, diseases and chemicals) and the NCBI disease corpus (one token a line,
IOB). Neither is part of this project. The dictionary is made of the ontology's names, and of the drugs of an
indications table if one is given; it was made for no corpus.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from kisa.extraction import DictionaryExtractor, Extractor, graph_names
from kisa.knowledge import load_graph
from kisa.llm_extraction import EndpointExtractor
from kisa.mentions import Name
from kisa.sources.indications import read_indications
from kisa.sources.pubtator import read_pubtator
from kisa.sources.skipped import Skipped
from kisa.sources.text_lines import text_lines
from medrl.sections.endpoint import EndpointConfig
from medrl.sections.knowledge import KnowledgeConfig

Span = tuple[int, int]


def cdr(path: Path) -> Iterator[tuple[str, dict[str, set[Span]]]]:
    """Texts with the gold spans by kind."""
    skipped = Skipped(path)
    for article in read_pubtator(path, skipped):
        spans: dict[str, set[Span]] = {"Disease": set(), "Chemical": set()}
        for mention in article.mentions:
            spans.setdefault(mention.kind, set()).add((mention.start, mention.end))
        yield article.text, spans
    if skipped.count:
        print(skipped.describe())


def ncbi(path: Path) -> Iterator[tuple[str, dict[str, set[Span]]]]:
    """Sentences of blank-separated tokens with the gold spans of diseases."""
    words: list[str] = []
    spans: set[Span] = set()
    start = None
    for _, line in (*text_lines(path), (0, "")):
        word, _, tag = line.partition("\t")
        begins = len(" ".join(words)) + bool(words)
        if start is not None and not tag.startswith("I"):
            spans.add((start, len(" ".join(words))))
            start = None
        if tag.startswith("B"):
            start = begins
        if word:
            words.append(word)
        elif words:
            yield " ".join(words), {"Disease": spans}
            words, spans = [], set()


def report(name: str, texts: Iterable[tuple[str, Mapping[str, set[Span]]]], extractor: Extractor) -> None:
    """Print one line for each kind that the corpus marks."""
    exact: dict[str, list[int]] = {}
    overlap: dict[str, list[int]] = {}
    begun, letters = time.monotonic(), 0
    for text, gold in texts:
        letters += len(text)
        found: dict[str, set[Span]] = {kind: set() for kind in gold}
        for each in extractor.extract(text):
            kind = "Chemical" if each.entities[0].startswith("DB") else "Disease"
            if kind in found and not each.entities[0].startswith("NCBIGene"):
                found[kind].add((each.start, each.end))
        for kind, spans in gold.items():
            score(exact.setdefault(kind, [0, 0, 0, 0]), found[kind], spans, lambda a, b: a == b)
            score(overlap.setdefault(kind, [0, 0, 0, 0]), found[kind], spans, lambda a, b: a[0] < b[1] and b[0] < a[1])
    seconds = time.monotonic() - begun
    for kind in exact:
        print(f"{name:5} {kind:9} exact   {shown(exact[kind])}")
        print(f"{name:5} {kind:9} overlap {shown(overlap[kind])}")
    print(f"{name:5} {letters / max(seconds, 1e-9) / 1e6:.2f} million letters/s")


def score(counts: list[int], found: set[Span], gold: set[Span], same: Callable[[Span, Span], bool]) -> None:
    """Add (found that are right, found, gold that were found, gold)."""
    counts[0] += sum(any(same(each, other) for other in gold) for each in found)
    counts[1] += len(found)
    counts[2] += sum(any(same(each, other) for other in found) for each in gold)
    counts[3] += len(gold)


def shown(counts: list[int]) -> str:
    """Precision, recall and F1 of such counts."""
    precision, recall = counts[0] / max(counts[1], 1), counts[2] / max(counts[3], 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return f"precision {precision:.3f}  recall {recall:.3f}  F1 {f1:.3f}  ({counts[1]} found, {counts[3]} gold)"


def main() -> None:
    """Every corpus that was given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cdr", type=Path)
    parser.add_argument("--ncbi", type=Path)
    parser.add_argument("--drugs", type=Path, help="a PharmacotherapyDB table of indications")
    parser.add_argument("--url", help="ask a model at this OpenAI-compatible endpoint instead of the dictionary")
    parser.add_argument("--model", default="")
    parser.add_argument("--kept", type=Path, default=Path("extraction"), help="where the model's answers are kept")
    options = parser.parse_args()
    names = list(graph_names(load_graph(KnowledgeConfig())))
    if options.drugs:
        pairs = read_indications(options.drugs, Skipped(options.drugs))
        names += [Name(drug, identifier) for identifier, drug in {pair.drug_id: pair.drug for pair in pairs}.items()]
    extractor: Extractor = DictionaryExtractor(names)
    if options.url:
        model = EndpointConfig(url=options.url, model=options.model, temperature=0.0)
        extractor = EndpointExtractor(model, extractor, options.kept)
    print(f"{len(names):,} names")
    if options.cdr:
        report("CDR", cdr(options.cdr), extractor)
    if options.ncbi:
        report("NCBI", ncbi(options.ncbi), extractor)


if __name__ == "__main__":
    main()
