"""The quality report of a dataset: gates that every question passes or fails, and what the set is made of."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transformers import AutoTokenizer

from envs.toolbox import open_toolbox
from envs.tools.base import Tool
from envs.tools.medical_retriever import MedicalRetriever
from envs.tools.selector import Advisor
from kisa.composition import composition
from kisa.dataset import Dataset, load_dataset
from kisa.duplicates import contaminated, exact_duplicates, near_duplicates
from kisa.gates import Gate, QualityReport, first_of, none_between, none_of, pairs_of, share_of
from kisa.graph import KnowledgeGraph
from kisa.knowledge import load_graph
from kisa.probes import hop_queries, hops_found, one_search_answers
from kisa.proofs import ambiguous, leak, needless, shortcut
from kisa.provenance import Documents, read_documents, unlocated
from kisa.solvers import PolicySolver
from kisa.specialties import SPECIALTIES
from kisa.splits import shared_entities
from kisa.trajectories import demonstrate, is_considered, teachers_advisor
from medrl.chat import ChatCodec
from medrl.config import Config
from medrl.errors import DataError
from medrl.matching import answers
from medrl.progress import tracked
from medrl.sections.recording import RecordingConfig
from medrl.seeds import derive_seed
from medrl.types import Question, Rollout


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried beside what the files show.

    `solved`: ids of held-out questions that the teacher solved; their episodes are kept nowhere, lest they be trained
    on. `from_memory`: id -> whether the policy answered without tools, of a sample.
    """

    solved: frozenset[str] = frozenset()
    from_memory: Mapping[str, bool] = field(default_factory=dict)


def assess_files(config: Config, knowledge: Path, out: Path, policy: Path) -> QualityReport:
    """`assess` for what `synthesize` wrote to `out`, with the ontology and the index that it was made with.

    `policy`: the folder of the model that is to learn from it.
    """
    unrecorded = config.knowledge.model_copy(update={"recording": RecordingConfig()})  # `search` is not recorded
    tools = open_toolbox(knowledge, unrecorded)
    retriever = tools["medical_retriever"]
    if not isinstance(retriever, MedicalRetriever):
        raise TypeError(f"medical_retriever is a {type(retriever).__name__}")
    benchmarks = [Path(each).expanduser() for each in config.kisa.benchmarks]
    graph = load_graph(config.knowledge, context=config.kisa.context)
    dataset = load_dataset(out)
    advisor = teachers_advisor(config, knowledge)
    tried = Tried(_replayed(dataset.heldout, tools, policy, config, advisor), _remembered(dataset, policy, config))
    return assess(graph, dataset, retriever, read_documents(knowledge), tried, benchmarks)


def _replayed(
    questions: Sequence[Question], tools: Mapping[str, Tool], policy: Path, config: Config, advisor: Advisor | None
) -> frozenset[str]:
    codec = ChatCodec(AutoTokenizer.from_pretrained(policy))
    each_of = tracked(questions, "held-out questions, solved again", len(questions), "question")
    played = ((each.id, asyncio.run(demonstrate(each, tools, codec, config, advisor))) for each in each_of)
    return frozenset(question_id for question_id, rollout in played if rollout is not None)


def _remembered(dataset: Dataset, policy: Path, config: Config) -> dict[str, bool]:
    """Of a sample drawn by the questions' ids alone."""
    questions = sorted((*dataset.train, *dataset.heldout), key=lambda each: derive_seed(config.seed, "memory", each.id))
    sample = questions[: config.kisa.closed_book_sample]
    given = PolicySolver(policy).solve(sample) if sample else {}
    return {each.id: answers(given[each.id][0], each) for each in sample}


def assess(
    graph: KnowledgeGraph,
    dataset: Dataset,
    retriever: MedicalRetriever,
    documents: Documents,
    tried: Tried,
    benchmarks: Sequence[Path] = (),
) -> QualityReport:
    """All gates over all questions, training and held out.

    That the oracle solves a training question is seen in its episode. `benchmarks`: text files that no question may
    share a run of eight words with. Raises DataError if one cannot be read, ToolOutage.
    """
    questions = [*dataset.train, *dataset.heldout]
    texts = {question.id: question.text for question in questions}
    solved = _solved(dataset.train, dataset.trajectories) | tried.solved
    hops: list[bool] = []
    missing: dict[str, str] = {}
    one_shot: dict[str, str] = {}
    retriever.prepare([query for question in questions for query in (question.text, *hop_queries(question))])
    for question in tracked(questions, "quality", len(questions), "question"):
        found = hops_found(question, retriever)
        hops += found
        if not all(found):
            missing[question.id] = _place(question, found.index(False))
        if asyncio.run(one_search_answers(question, retriever)):
            one_shot[question.id] = question.answer
    most_common = Counter(question.answer for question in questions).most_common(1)
    shared = contaminated(texts, [_read(path) for path in benchmarks])
    identifiers = Counter(question.id for question in questions)
    repeated = {each: f"{count} times" for each, count in identifiers.items() if count > 1}
    gates = [
        share_of("answer unique on the whole graph", questions, lambda each: ambiguous(graph, each)),
        share_of(
            "every clue necessary",
            questions,
            lambda each: needless(graph, each.query, each.relations[-1].object.id),
        ),
        none_of("name of the answer or of an entity on the way in the text", questions, lambda each: leak(graph, each)),
        none_of("shorter way from a named anchor", questions, lambda each: shortcut(graph, each)),
        share_of(
            "solved by the oracle with the tools", questions, lambda each: None if each.id in solved else "unsolved"
        ),
        Gate("evidence of a hop in the 10 best (recall@10)", _mean(hops), 0.95, True, len(hops), first_of(missing)),
        share_of("relation located in a document", questions, lambda each: unlocated(each, documents)),
        Gate(
            "answer shown by one search for the question",
            len(one_shot) / max(len(questions), 1),
            0.10,
            False,
            len(questions),
            first_of(one_shot),
        ),
        *_from_memory(tried),
        pairs_of("exact duplicates", exact_duplicates(texts), 0.0, len(questions)),
        pairs_of("near duplicates", near_duplicates(texts), 0.01, len(questions)),
        Gate(
            "most frequent answer",
            most_common[0][1] / len(questions) if most_common else 0.0,
            max(0.01, 1 / max(len(questions), 1)),  # of fewer than a hundred, each answer once
            False,
            len(questions),
            {answer: f"{count} times" for answer, count in most_common},
        ),
        Gate(
            "one identifier for several questions", float(len(repeated)), 0.0, False, len(questions), first_of(repeated)
        ),
        none_between(
            "disease or gene in training and held out", shared_entities(dataset.train, dataset.heldout), len(questions)
        ),
        none_between(
            "answer in training and held out",
            {each.answer for each in dataset.train} & {each.answer for each in dataset.heldout},
            len(questions),
        ),
        Gate(
            "longest chain of a wanted length in its subgraph, proved",
            _mean([each.optimal for each in questions]),
            0.99,
            True,
            len(questions),
        ),
        Gate("share of the rarest of the twelve specialties", _least_specialty(questions), 0.05, True, len(questions)),
        _thoughts(dataset.trajectories),
    ]
    if benchmarks:
        gates.append(
            Gate(
                "shares eight words in a row with a benchmark",
                float(len(shared)),
                0.0,
                False,
                len(questions),
                first_of(dict.fromkeys(shared, "shared")),
            )
        )
    return QualityReport(tuple(gates), composition(dataset))


def _from_memory(tried: Tried) -> list[Gate]:
    """No gate where nothing was asked."""
    known = {each: "answered" for each, right in tried.from_memory.items() if right}
    n = len(tried.from_memory)
    return [Gate("answered by the policy without tools", len(known) / n, 0.05, False, n, first_of(known))] if n else []


def _thoughts(rollouts: Sequence[Rollout]) -> Gate:
    calls = {
        f"{rollout.question_id} turn {turn}": is_considered(step)
        for rollout in rollouts
        for turn, step in enumerate(rollout.steps, start=1)
        if step.call is not None
    }
    without = [each for each, considered in calls.items() if not considered]
    value = 1.0 - len(without) / max(len(calls), 1)
    return Gate("call with a thought before it", value, 1.0, True, len(calls), first_of(dict.fromkeys(without, "none")))


def _place(question: Question, index: int) -> str:
    """Which of `hops_found`'s relations it is."""
    clues = len(question.relations) + len(question.clues)
    if index < len(question.relations):
        return f"hop {index + 1}"
    return f"clue {index - len(question.relations) + 1}" if index < clues else f"branch {index - clues + 1}"


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / max(len(values), 1)


def _solved(questions: Iterable[Question], rollouts: Iterable[Rollout]) -> set[str]:
    """Ids of the questions that a trajectory ends with the right answer of."""
    by_id = {question.id: question for question in questions}
    right = set()
    for rollout in rollouts:
        question = by_id.get(rollout.question_id)
        if question is None or rollout.answer is None:
            continue
        if answers(rollout.answer, question):
            right.add(question.id)
    return right


def _least_specialty(questions: Sequence[Question]) -> float:
    count = Counter(question.specialty for question in questions)
    return min(count[each] for each in SPECIALTIES) / max(len(questions), 1)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}; give a text file of the benchmark's questions") from error
