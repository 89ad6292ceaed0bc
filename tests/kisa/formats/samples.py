"""Questions of every kind that the small ontology gives, and the teacher's episodes on them."""

import asyncio
import random

from kisa.differential import with_clues
from kisa.graph import KnowledgeGraph
from kisa.questions import Chain, question_of
from kisa.trajectories import demonstrate
from medrl.chat import ChatCodec
from medrl.config import Config
from medrl.types import Question, Rollout
from tests.kisa.chains import chain_along
from tests.kisa.library import open_library

LONGEST = ("HP:1000001", "OMIM:1", "NCBIGene:11", "OMIM:2", "HP:1000005")
CONFIG = Config.model_validate(
    {
        "name": "test",
        "model": {"max_length": 8000},  # the test's tokenizer has a token for each byte
        "env": {"max_turn_tokens": 400, "observation_tokens": 800},
    }
)


def plain(graph: KnowledgeGraph, hops: int = 4, seed: int = 0) -> Question:
    """Two hops, three with "the other disease", four with a finding narrowed by its system or its frequency."""
    rng = random.Random(seed)
    return _question(graph, chain_along(graph, *LONGEST[: hops + 1], rng=rng), seed)


def lay(graph: KnowledgeGraph) -> Question:
    """Begins with everyday words."""
    chain = chain_along(graph, *LONGEST[:3], rng=random.Random(0))
    return _question(graph, Chain(chain.relations, chain.steps, lay="Skyish whites of the eyes"))


def together(graph: KnowledgeGraph) -> Question:
    """Begins with two findings of one disease."""
    alpha = graph.entities["OMIM:1"]
    clues = [graph.between(graph.entities[each], alpha) for each in ("HP:1000002", "HP:1000003")]
    chain = chain_along(graph, "OMIM:1", "NCBIGene:11", rng=random.Random(0))
    return _question(graph, with_clues(chain, [clue for clue in clues if clue is not None]))


def branched(graph: KnowledgeGraph, *identifiers: str) -> Question:
    """A hop to one of several diseases, narrowed by a finding."""
    question = _question(graph, chain_along(graph, *identifiers, rng=random.Random(0), narrow=True))
    assert question.branches
    return question


def every_kind(graph: KnowledgeGraph) -> list[Question]:
    """All kinds of hops, of what narrows them, and of beginnings; fourteen questions."""
    questions = [plain(graph, hops, seed) for hops in (2, 3, 4) for seed in range(3)]
    assert {question.query[1][-1][1] for question in questions} == {"", "organ_system", "frequency_class"}
    return [
        *questions,
        lay(graph),
        together(graph),
        branched(graph, "NCBIGene:11", "OMIM:2"),
        branched(graph, "HP:1000003", "OMIM:1", "NCBIGene:11"),
        branched(graph, "HP:1000004", "HP:1000003", "OMIM:1", "NCBIGene:11"),
    ]


def episode(graph: KnowledgeGraph, question: Question, codec: ChatCodec) -> Rollout:
    """The teacher's."""
    rollout = asyncio.run(demonstrate(question, open_library(graph), codec, CONFIG))
    assert rollout is not None
    return rollout


def _question(graph: KnowledgeGraph, chain: Chain, seed: int = 0) -> Question:
    return question_of(graph, chain, random.Random(seed), seed=0, split="train", specialty="cardiology")
