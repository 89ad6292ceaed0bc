"""The whole synthesis: seeds -> chains -> proved questions -> guided trajectories, on disk.

    <out>/questions.jsonl      training and held-out questions
          trajectories.jsonl   the teacher's episodes on training questions

Same seed and precision of the encoder (`envs.embedding`), same bytes. Questions are taken round robin over the
specialties, so they are as even as the data allow. No answer of a training question is that of a held-out one.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from envs.toolbox import open_toolbox
from envs.tools.base import Tool
from kisa.candidates import Candidates, Wanted
from kisa.entities import rare_seeds
from kisa.expansion import RetrieverDiscovery
from kisa.graph import KnowledgeGraph
from kisa.guidance import mask
from kisa.knowledge import load_frequencies, load_graph
from kisa.memory import Remembering
from kisa.splits import assign_splits, shared_entities
from kisa.trajectories import demonstrate
from kisa.validity import Validity
from medrl.chat import ChatCodec
from medrl.config import Config
from medrl.errors import DataError
from medrl.records import read_jsonl, write_jsonl
from medrl.sections import KisaConfig
from medrl.seeds import derive_seed
from medrl.types import Entity, Question, Rollout, Split

_ATTEMPTS = 4
#: Questions with one answer, at most: no answer is worth learning by heart.
_SAME_ANSWER = 2


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a run learns from and is tested on. `trajectories` are of training questions only."""

    train: list[Question]
    heldout: list[Question]
    trajectories: list[Rollout]


@dataclass
class Selection:
    """Questions of one split, up to the wanted numbers."""

    split: Split
    total: int
    quotas: dict[int, int]
    differential: int
    lay: int
    questions: list[Question] = field(default_factory=list)
    rollouts: list[Rollout] = field(default_factory=list)
    unsolved: int = 0
    _known: set[object] = field(default_factory=set)
    _answers: Counter[str] = field(default_factory=Counter)

    @property
    def wanted(self) -> Wanted:
        hops = frozenset(hops for hops, count in self.quotas.items() if count)
        return Wanted(hops, self.differential > 0, self.lay > 0)

    @property
    def is_full(self) -> bool:
        return len(self.questions) == self.total

    def is_new(self, question: Question) -> bool:
        """Whether neither the formal question nor the answer has been asked often enough."""
        return question.query not in self._known and self._answers[question.answer] < _SAME_ANSWER

    def refuse(self, answers: Iterable[str]) -> None:
        """Ask for none of `answers`."""
        self._answers.update(dict.fromkeys(answers, _SAME_ANSWER))

    def take(self, question: Question, rollout: Rollout) -> None:
        self._known.add(question.query)
        self._answers[question.answer] += 1
        self.questions.append(question)
        self.rollouts.append(rollout)
        self.quotas[question.hops] -= 1
        self.differential -= bool(question.clues)
        self.lay -= mask(question)[0].relation == "lay_term_of"

    def reopen(self) -> None:
        """Let any length fill what is missing: the data hold too few chains of the wanted ones."""
        missing = self.total - len(self.questions)
        if missing:
            tqdm.write(f"{self.split}: {missing} questions may have any length, too few chains have the wanted one")
        self.quotas = dict.fromkeys(self.quotas, missing)


def quotas(config: KisaConfig, total: int) -> dict[int, int]:
    """How many of `total` questions have each number of hops; the largest share takes what rounding leaves."""
    shares = {hops: config.hop_shares.get(hops, 0.0) for hops in range(config.min_hops, config.max_hops + 1)}
    whole = sum(shares.values())
    counts = {hops: int(total * share / whole) for hops, share in shares.items()}
    counts[max(shares, key=lambda hops: shares[hops])] += total - sum(counts.values())
    return counts


def synthesize(config: Config, knowledge: Path, out: Path, tokenizer: Any) -> dict[str, Any]:
    """Write the dataset of a run to `out` and return its counts. `knowledge`: what `build_knowledge` returned.

    Raises DataError if the ontology holds too few chains.
    """
    graph = load_graph(config.knowledge)
    frequency = load_frequencies(knowledge)
    tqdm.write(frequency.describe(config.kisa.rare_percentile))
    seeds = rare_seeds(graph, frequency, config.kisa.rare_percentile)
    tools = open_toolbox(knowledge, config.knowledge, threads=1)  # one query is too little for two cores
    selections = asyncio.run(select(config, graph, seeds, tools, ChatCodec(tokenizer)))
    train, heldout = selections
    shared = shared_entities(train.questions, heldout.questions)
    if shared:
        raise DataError(
            f"{len(shared)} entities in both splits, e.g. {min(shared)}: report this, it is a fault of ours"
        )
    write_jsonl(out / "questions.jsonl", [*train.questions, *heldout.questions])
    write_jsonl(out / "trajectories.jsonl", train.rollouts)
    return {
        "train": describe(train.questions, train.rollouts),
        "heldout": describe(heldout.questions, heldout.rollouts),
        "unsolved": train.unsolved + heldout.unsolved,
    }


def load_dataset(out: Path) -> Dataset:
    """Read what `synthesize` wrote. Raises DataError."""
    questions = list(read_jsonl(out / "questions.jsonl", Question))
    return Dataset(
        [question for question in questions if question.split == "train"],
        [question for question in questions if question.split == "heldout"],
        list(read_jsonl(out / "trajectories.jsonl", Rollout)),
    )


async def select(
    config: Config, graph: KnowledgeGraph, seeds: Iterable[Entity], tools: Mapping[str, Tool], codec: ChatCodec
) -> tuple[Selection, Selection]:
    """Training and held-out questions with the teacher's episode of each. Raises DataError, ToolOutage."""
    kisa = config.kisa
    remembered: dict[str, Tool] = {name: Remembering(tool) for name, tool in tools.items()}
    splits = assign_splits(graph, kisa.heldout_fraction, config.seed)
    validity = Validity(graph, splits, kisa.min_hops, kisa.max_hops, kisa.name_characters, kisa.answer_characters)
    discover = RetrieverDiscovery(remembered["medical_retriever"], graph)
    candidates = Candidates(graph, validity, discover, kisa, config.seed)
    queues: dict[Split, dict[str, list[Entity]]] = {"train": defaultdict(list), "heldout": defaultdict(list)}
    for entity in sorted(
        seeds, key=lambda each: (not candidates.may_be_lay(each), derive_seed(config.seed, "order", each.id))
    ):
        split = candidates.start_split(entity)
        if split is not None:
            queues[split][graph.facts[entity.id].specialty].append(entity)
    selections: list[Selection] = []
    for split, total in (("train", kisa.train_questions), ("heldout", kisa.heldout_questions)):
        selection = Selection(
            "train" if split == "train" else "heldout",
            total,
            quotas(kisa, total),
            round(total * kisa.differential_fraction),
            round(total * kisa.lay_fraction),
        )
        for earlier in selections:  # an answer learnt by heart must not pass for one that was found
            selection.refuse({question.answer for question in earlier.questions})
        await _fill(selection, queues[selection.split], candidates, remembered, codec, config)
        selections.append(selection)
    return selections[0], selections[1]


async def _fill(
    selection: Selection,
    queues: Mapping[str, list[Entity]],
    candidates: Candidates,
    tools: Mapping[str, Tool],
    codec: ChatCodec,
    config: Config,
) -> None:
    with tqdm(total=selection.total, desc=f"{selection.split} questions", unit="question") as progress:
        for attempt in range(_ATTEMPTS):
            if attempt == _ATTEMPTS - 1:
                selection.reopen()
            turns = deque(deque(queues[specialty]) for specialty in sorted(queues))
            while turns and not selection.is_full:
                queue = turns.popleft()
                if await _take_one(selection, queue, attempt, candidates, tools, codec, config):
                    progress.update()
                if queue:
                    turns.append(queue)
    if not selection.is_full:
        raise DataError(
            f"only {len(selection.questions)} of {selection.total} {selection.split} questions could be made from this "
            f"ontology: lower kisa.{selection.split}_questions or raise kisa.rare_percentile"
        )


async def _take_one(
    selection: Selection,
    queue: deque[Entity],
    attempt: int,
    candidates: Candidates,
    tools: Mapping[str, Tool],
    codec: ChatCodec,
    config: Config,
) -> bool:
    """Go down a specialty's seeds until one gives a question that is solved; False if none does."""
    while queue:
        question = await candidates.make(queue.popleft(), attempt, selection.wanted)
        if question is None or question.split != selection.split or not selection.is_new(question):
            continue
        rollout = await demonstrate(question, tools, codec, config)
        if rollout is not None:
            selection.take(question, rollout)
            return True
        selection.unsolved += 1
    return False


def describe(questions: list[Question], rollouts: list[Rollout]) -> dict[str, Any]:
    """Counts by hops, specialty, kind of answer and of question; tool calls by tool and on average."""
    calls = Counter(step.call.name for rollout in rollouts for step in rollout.steps if step.call is not None)
    kinds = Counter(question.relations[-1].object.kind for question in questions)
    return {
        "questions": len(questions),
        "hops": dict(sorted(Counter(question.hops for question in questions).items())),
        "specialties": dict(sorted(Counter(question.specialty for question in questions).items())),
        "answers": dict(sorted(kinds.items())),
        "differential": sum(bool(question.clues) for question in questions),
        "lay": sum(mask(question)[0].relation == "lay_term_of" for question in questions),
        "tools": dict(sorted(calls.items())),
        "calls_per_trajectory": round(calls.total() / max(len(rollouts), 1), 2),
    }
