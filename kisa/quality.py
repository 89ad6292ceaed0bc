"""The quality report of a dataset: gates that every question passes or fails, and what the set is made of."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import AutoTokenizer

from envs.toolbox import open_toolbox
from envs.tools.base import Tool
from envs.tools.medical_retriever import MedicalRetriever
from kisa.dataset import Dataset, load_dataset
from kisa.duplicates import contaminated, exact_duplicates, near_duplicates
from kisa.exploration import PAPER, habits
from kisa.graph import KnowledgeGraph
from kisa.knowledge import load_graph
from kisa.probes import hop_queries, hops_found, one_search_answers
from kisa.proofs import ambiguous, leak, needless, shortcut
from kisa.provenance import Documents, read_documents, unlocated
from kisa.solvers import PolicySolver
from kisa.specialties import SPECIALTIES
from kisa.splits import shared_entities
from kisa.trajectories import demonstrate
from medrl.chat import ChatCodec
from medrl.config import Config
from medrl.errors import DataError
from medrl.matching import Verdict, match
from medrl.seeds import derive_seed
from medrl.types import Question, Rollout

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Gate:
    """One demand on a set: the share (or number) `value` must be at least, or at most, `bound`.

    `failed`: ids of the first questions that fail, with why.
    """

    name: str
    value: float
    bound: float
    at_least: bool
    n: int
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True, slots=True)
class QualityReport:
    """`composition`: hops, specialties, kinds of answers, and other counts of the set."""

    gates: tuple[Gate, ...]
    composition: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        return all(gate.passed for gate in self.gates)

    def as_json(self) -> dict[str, Any]:
        """Plain values for quality.json."""
        gates = [
            {
                "gate": gate.name,
                "passed": gate.passed,
                "value": round(gate.value, 6),
                "must_be": f"{'>=' if gate.at_least else '<='} {gate.bound:g}",
                "n": gate.n,
                "failed": dict(gate.failed),
            }
            for gate in self.gates
        ]
        return {"passed": self.passed, "gates": gates, "composition": dict(self.composition)}


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
    tools = open_toolbox(knowledge, config.knowledge)
    retriever = tools["medical_retriever"]
    if not isinstance(retriever, MedicalRetriever):
        raise TypeError(f"medical_retriever is a {type(retriever).__name__}")
    benchmarks = [Path(each).expanduser() for each in config.kisa.benchmarks]
    graph = load_graph(config.knowledge, context=config.kisa.context)
    dataset = load_dataset(out)
    tried = Tried(_replayed(dataset.heldout, tools, policy, config), _remembered(dataset, policy, config))
    return assess(graph, dataset, retriever, read_documents(knowledge), tried, benchmarks)


def _replayed(questions: Sequence[Question], tools: Mapping[str, Tool], policy: Path, config: Config) -> frozenset[str]:
    codec = ChatCodec(AutoTokenizer.from_pretrained(policy))
    with tqdm(questions, desc="held-out questions, solved again", unit="question", leave=False) as bar:
        return frozenset(each.id for each in bar if asyncio.run(demonstrate(each, tools, codec, config)) is not None)


def _remembered(dataset: Dataset, policy: Path, config: Config) -> dict[str, bool]:
    """Of a sample drawn by the questions' ids alone."""
    questions = sorted((*dataset.train, *dataset.heldout), key=lambda each: derive_seed(config.seed, "memory", each.id))
    sample = questions[: config.kisa.closed_book_sample]
    given = PolicySolver(policy).solve(sample) if sample else {}
    return {each.id: match(given[each.id][0], each.answer, aliases=each.aliases) is Verdict.CORRECT for each in sample}


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
    for question in tqdm(questions, desc="quality", unit="question", leave=False):
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
        _share_of("answer unique on the whole graph", questions, lambda each: ambiguous(graph, each)),
        _share_of(
            "every clue necessary",
            questions,
            lambda each: needless(graph, each.query, each.relations[-1].object.id),
        ),
        _none_of(
            "name of the answer or of an entity on the way in the text", questions, lambda each: leak(graph, each)
        ),
        _none_of("shorter way from a named anchor", questions, lambda each: shortcut(graph, each)),
        _share_of(
            "solved by the oracle with the tools", questions, lambda each: None if each.id in solved else "unsolved"
        ),
        Gate("evidence of a hop in the 10 best (recall@10)", _mean(hops), 0.95, True, len(hops), _first(missing)),
        _share_of("relation located in a document", questions, lambda each: unlocated(each, documents)),
        Gate(
            "answer shown by one search for the question",
            len(one_shot) / max(len(questions), 1),
            0.10,
            False,
            len(questions),
            _first(one_shot),
        ),
        *_from_memory(tried),
        _pairs("exact duplicates", exact_duplicates(texts), 0.0, len(questions)),
        _pairs("near duplicates", near_duplicates(texts), 0.01, len(questions)),
        Gate(
            "most frequent answer",
            most_common[0][1] / len(questions) if most_common else 0.0,
            max(0.01, 1 / max(len(questions), 1)),  # of fewer than a hundred, each answer once
            False,
            len(questions),
            {answer: f"{count} times" for answer, count in most_common},
        ),
        Gate(
            "one identifier for several questions", float(len(repeated)), 0.0, False, len(questions), _first(repeated)
        ),
        _none_between(
            "disease or gene in training and held out", shared_entities(dataset.train, dataset.heldout), len(questions)
        ),
        _none_between(
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
    ]
    if benchmarks:
        gates.append(
            Gate(
                "shares eight words in a row with a benchmark",
                float(len(shared)),
                0.0,
                False,
                len(questions),
                _first(dict.fromkeys(shared, "shared")),
            )
        )
    return QualityReport(tuple(gates), _composition(dataset))


def _from_memory(tried: Tried) -> list[Gate]:
    """No gate where nothing was asked."""
    known = {each: "answered" for each, right in tried.from_memory.items() if right}
    n = len(tried.from_memory)
    return [Gate("answered by the policy without tools", len(known) / n, 0.05, False, n, _first(known))] if n else []


def _share_of(name: str, questions: Sequence[Question], fault: Callable[[Question], str | None]) -> Gate:
    """All questions must be free of the fault; the value is the share that is."""
    failed = _faults(questions, fault)
    return Gate(name, 1.0 - len(failed) / max(len(questions), 1), 1.0, True, len(questions), _first(failed))


def _none_of(name: str, questions: Sequence[Question], fault: Callable[[Question], str | None]) -> Gate:
    """No question may have the fault; the value is how many do."""
    failed = _faults(questions, fault)
    return Gate(name, float(len(failed)), 0.0, False, len(questions), _first(failed))


def _none_between(name: str, shared: set[str], n: int) -> Gate:
    return Gate(name, float(len(shared)), 0.0, False, n, _first(dict.fromkeys(sorted(shared), "in both")))


def _faults(questions: Sequence[Question], fault: Callable[[Question], str | None]) -> dict[str, str]:
    found = ((question.id, fault(question)) for question in questions)
    return {identifier: why for identifier, why in found if why is not None}


def _pairs(name: str, pairs: Sequence[tuple[str, str]], bound: float, n: int) -> Gate:
    return Gate(name, len(pairs) / max(n, 1), bound, False, n, _first(dict(pairs)))


def _place(question: Question, index: int) -> str:
    """Which of `hops_found`'s relations it is."""
    clues = len(question.relations) + len(question.clues)
    if index < len(question.relations):
        return f"hop {index + 1}"
    return f"clue {index - len(question.relations) + 1}" if index < clues else f"branch {index - clues + 1}"


def _first(failed: Mapping[str, str]) -> dict[str, str]:
    return dict(list(failed.items())[:_SHOWN])


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
        if match(rollout.answer, question.answer, aliases=question.aliases) is Verdict.CORRECT:
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


def _composition(dataset: Dataset) -> dict[str, Any]:
    questions = [*dataset.train, *dataset.heldout]
    calls = [sum(step.call is not None for step in rollout.steps) for rollout in dataset.trajectories]
    tools = Counter(step.call.name for rollout in dataset.trajectories for step in rollout.steps if step.call)
    return {
        "questions": len(questions),
        "train": len(dataset.train),
        "heldout": len(dataset.heldout),
        "trajectories": len(dataset.trajectories),
        "hops": _counts(question.hops for question in questions),
        "specialties": _counts(question.specialty for question in questions),
        "answers": _counts(question.relations[-1].object.kind for question in questions),
        "branches": _counts(len(question.branches) for question in questions),
        "tool_calls_mean": round(sum(calls) / max(len(calls), 1), 3),
        "tool_calls": _counts(calls),
        "tools": _counts(tools.elements()),
        "habits": _habits(dataset.trajectories),
    }


def _habits(rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """What the episodes do, guided and exploring, beside what the paper sees in its exploration data."""
    by_origin = {origin: [each for each in rollouts if each.origin == origin] for origin in ("guided", "exploration")}
    counted = {origin: asdict(habits(episodes)) for origin, episodes in by_origin.items()}
    return {**counted, "paper": PAPER}


def _counts(values: Iterable[Any]) -> dict[str, int]:
    return {str(value): count for value, count in sorted(Counter(values).items())}
