"""How well the retriever ranks the documents that questions need, for several λ of Score = λ·Rel + (1 − λ)·Auth.

    python benchmarks/ndcg.py KNOWLEDGE QUESTIONS [key=value …] [--count 400] [--lam 0 0.2 …]

KNOWLEDGE is a folder that `kisa.knowledge.build_knowledge` wrote, QUESTIONS a questions.jsonl of `medrl synthesize`:
each relation of a question's chain names the document that states it, which is the gold. Three kinds of query:

    question   the question's text; gold: the documents of its whole chain
    first hop  what a searcher asks first, from the words of the question: "Marfan syndrome gene"; gold: its document
    later hop  the same of what the hop before found

nDCG@10 with binary relevance (Järvelin and Kekäläinen 2002), and the 95% interval of its mean by bootstrap over the
questions.
"""

import argparse
import random
from collections import defaultdict
from math import log2
from pathlib import Path

import numpy as np
import torch
import yaml

from envs.retrieval.embedding import Encoder, encoder_path
from envs.retrieval.index import Index, build_index
from envs.tools.medical_retriever import MedicalRetriever
from medrl.records import read_jsonl
from medrl.sections.knowledge import KnowledgeConfig
from medrl.types import Question

TOP = 10
RESAMPLES = 10_000
#: What a searcher asks of a hop's subject, by the hop's predicate.
ASKED = {
    "presents_in": "{} disease",
    "caused_by": "{} gene",
    "causes": "{} gene disease",
    "has_finding": "{} findings",
    "inherited_as": "{} inheritance",
    "has_onset": "{} onset",
}

Case = tuple[str, frozenset[str]]


def cases_of(question: Question) -> dict[str, list[Case]]:
    """Queries and the ids of their gold documents, by kind."""
    hops = [
        (
            ASKED.get(relation.predicate, "{}").format(question.anchors[0] if first else relation.subject.name),
            frozenset([relation.provenance["document"]]),
        )
        for relation, first in zip(question.relations, [True] + [False] * len(question.relations), strict=False)
    ]
    whole = frozenset(relation.provenance["document"] for relation in question.relations)
    return {"question": [(question.text, whole)], "first hop": hops[:1], "later hop": hops[1:]}


def ndcg(found: list[str], gold: frozenset[str], top: int = TOP) -> float:
    """Σ 1 / log2(1 + place) over the gold documents found, over that of a ranking that begins with all of them."""
    gained = sum(1.0 / log2(1 + place) for place, each in enumerate(found[:top], start=1) if each in gold)
    return gained / sum(1.0 / log2(1 + place) for place in range(1, min(len(gold), top) + 1))


def interval(per_question: list[float], rng: np.random.Generator) -> tuple[float, float, float]:
    """Mean and its 95% interval, questions drawn with replacement."""
    values = np.array(per_question)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def main() -> None:
    """Print the table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("knowledge", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("settings", nargs="*", metavar="key=value", help="of section knowledge")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--lam", type=float, nargs="*", default=[0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    arguments = parser.parse_args()
    settings = {key: yaml.safe_load(value) for key, _, value in (each.partition("=") for each in arguments.settings)}
    config = KnowledgeConfig(**settings)
    path = build_index(arguments.knowledge / "corpus.jsonl", Path(config.cache).expanduser(), config.encoder)
    retriever = MedicalRetriever(Index.open(path), Encoder(encoder_path(config.encoder)), config)
    questions = list(read_jsonl(arguments.questions, Question))
    drawn = random.Random(0).sample(questions, min(arguments.count, len(questions)))
    by_question = [cases_of(question) for question in drawn]
    queries = sorted({text for cases in by_question for some in cases.values() for text, _ in some})
    retriever.prepare(queries)
    torch.set_num_threads(1)
    kinds = list(by_question[0])
    print(f"{len(drawn)} questions, {len(queries)} queries; {' '.join(arguments.settings)}")
    print(f"| λ | {' | '.join(kinds)} |\n|---{'|---' * len(kinds)}|", flush=True)
    for lam in arguments.lam:
        measured: dict[str, list[float]] = defaultdict(list)
        for cases in by_question:
            for kind, some in cases.items():
                if some:
                    values = [ndcg([hit.document.id for hit in retriever.search(t, TOP, lam)], g) for t, g in some]
                    measured[kind].append(float(np.mean(values)))
        cells = [interval(measured[kind], np.random.default_rng(0)) for kind in kinds]
        print(
            f"| {lam:g} | {' | '.join(f'{mean:.3f} [{low:.3f}, {high:.3f}]' for mean, low, high in cells)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
