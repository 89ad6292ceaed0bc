"""The whole synthesis: seeds -> chains -> proved questions -> guided trajectories, on disk.

    <out>/questions.jsonl      training and held-out questions
          trajectories.jsonl   the teacher's episodes on training questions
          rounds.jsonl         what was made so far, while it is at work

Same seed and precision of the encoder (`envs.retrieval.embedding`), same bytes, with any number of workers and however
often it was interrupted. Questions are spread over the specialties as evenly as the data allow. No answer of a training
question is that of a held-out one.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from kisa.candidates import may_be_lay
from kisa.entities import rare_seeds
from kisa.graph import KnowledgeGraph
from kisa.guidance import mask
from kisa.inquiry import inquire
from kisa.knowledge import load_frequencies, load_graph
from kisa.provenance import locate_evidence, read_documents
from kisa.refinement import Refinement, write_histories
from kisa.rounds import Round, RoundLog, key_of
from kisa.selection import Selection, select_for
from kisa.significance import STAGE as SIGNIFICANCE
from kisa.significance import significance_items
from kisa.specialties import SPECIALTIES
from kisa.splits import shared_entities
from kisa.teacher import with_teacher
from kisa.validity import rules
from kisa.workshop import Crew, Task, crew
from medrl.config import Config
from medrl.errors import DataError
from medrl.progress import Progress
from medrl.records import read_jsonl, write_jsonl
from medrl.sections.endpoint import EndpointConfig
from medrl.sections.kisa import KisaConfig
from medrl.seeds import derive_seed
from medrl.types import Entity, Question, Rollout, Split

_ATTEMPTS = 5
#: Seeds of each specialty in a round: what a round makes is chosen from before the next one is asked for.
_SEEDS_A_ROUND = 4
Queues = Mapping[str, list[Entity]]


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a run learns from and is tested on. `trajectories` are of training questions only."""

    train: list[Question]
    heldout: list[Question]
    trajectories: list[Rollout]


def synthesize(
    config: Config, knowledge: Path, out: Path, tokenizer: Any, *, policy: Path | None = None
) -> dict[str, Any]:
    """Write the dataset of a run to `out` and return its counts. `knowledge`: what `build_knowledge` returned;
    `policy`: the folder of the model that is to learn from it, for `kisa.policy_solves`.

    Interrupted, it goes on where it was. Raises DataError if the ontology holds too few chains, ConfigError or
    InfrastructureError if a language model that is to be asked does not answer.
    """
    graph = load_graph(config.knowledge, context=config.kisa.context)
    frequency = load_frequencies(knowledge, config.knowledge.frequencies)
    tqdm.write(frequency.describe(config.kisa.rare_percentile))
    seeds = rare_seeds(graph, frequency, config.kisa.rare_percentile)
    if config.kisa.significance is not None:
        seeds = _significant(seeds, config.kisa.significance, out)
    log = RoundLog(out / "rounds.jsonl", key_of(config, knowledge, seeds))
    try:
        with crew(graph, config, knowledge, tokenizer) as workers:
            selected = select(config, graph, seeds, workers, log)
            refinement = Refinement(config.kisa, graph, workers, policy, out)
            train, heldout = refinement.refine(*(selection.made for selection in selected))
            fates = write_histories(out / "difficulty.jsonl", refinement.histories)
    except BaseException:
        log.close(done=False)
        raise
    for split, made, wanted in (("training", train, selected[0]), ("held-out", heldout, selected[1])):
        if not made:
            raise DataError(
                f"no {split} question is left, all were too easy: see difficulty.jsonl; raise kisa.too_easy"
            )
        if len(made) < wanted.total:
            tqdm.write(f"{len(made):,} of {wanted.total:,} {split} questions are left, the others were too easy")
    train = with_teacher(train, knowledge, tokenizer, config, out)
    documents = read_documents(knowledge)
    data = Dataset(
        [locate_evidence(made.question, documents) for made in train],
        [locate_evidence(made.question, documents) for made in heldout],
        [made.rollout for made in train if made.rollout is not None],
    )
    shared = shared_entities(data.train, data.heldout)
    if shared:
        raise DataError(
            f"{len(shared)} entities in both splits, e.g. {min(shared)}: report this, it is a fault of ours"
        )
    write_jsonl(out / "questions.jsonl", [*data.train, *data.heldout])
    write_jsonl(out / "trajectories.jsonl", data.trajectories)
    log.close(done=True)
    return {
        "train": describe(data.train, data.trajectories),
        "heldout": describe(data.heldout, [made.rollout for made in heldout if made.rollout is not None]),
        "unsolved": sum(selection.unsolved for selection in selected),
        **({"difficulty": fates} if fates else {}),
    }


def _significant(seeds: list[Entity], model: EndpointConfig, out: Path) -> list[Entity]:
    verdicts = inquire(SIGNIFICANCE, model, significance_items(seeds), out).answers
    return [each for each in seeds if verdicts.get(each.id) == "yes"]


def load_dataset(out: Path) -> Dataset:
    """Read what `synthesize` wrote. Raises DataError, also if a trajectory is of no training question."""
    questions = list(read_jsonl(out / "questions.jsonl", Question))
    train = [question for question in questions if question.split == "train"]
    trajectories = list(read_jsonl(out / "trajectories.jsonl", Rollout))
    strange = {each.question_id for each in trajectories} - {question.id for question in train}
    if strange:
        raise DataError(f"{out}/trajectories.jsonl: {min(strange)} is no training question of questions.jsonl there")
    return Dataset(train, [question for question in questions if question.split == "heldout"], trajectories)


def select(
    config: Config, graph: KnowledgeGraph, seeds: Iterable[Entity], workers: Crew, log: RoundLog
) -> tuple[Selection, Selection]:
    """Training and held-out questions with the teacher's episode of each. Raises DataError, ToolOutage."""
    validity = rules(graph, config.kisa, config.seed)
    queues: dict[Split, dict[str, list[Entity]]] = {"train": defaultdict(list), "heldout": defaultdict(list)}
    for entity in sorted(
        seeds, key=lambda each: (not may_be_lay(graph, each), derive_seed(config.seed, "order", each.id))
    ):
        split = validity.start_split(entity)
        if split is not None:
            queues[split][graph.facts[entity.id].specialty].append(entity)
    finished = log.rounds()
    train = select_for(config.kisa, "train", SPECIALTIES)
    _fill(train, config.kisa, queues["train"], workers, log, finished)
    heldout = select_for(config.kisa, "heldout", SPECIALTIES)
    heldout.refuse({question.answer for question in train.questions})  # learnt by heart, it must not pass for found
    _fill(heldout, config.kisa, queues["heldout"], workers, log, finished)
    return train, heldout


def _fill(
    selection: Selection, kisa: KisaConfig, queues: Queues, workers: Crew, log: RoundLog, finished: Iterator[Round]
) -> None:
    """Take questions until there are enough. What `finished` holds is not made again. Raises DataError."""
    with Progress(f"{selection.split} questions", selection.total, "question") as progress:
        for attempt in range(_ATTEMPTS):
            # A seed gives its longest chain, so the short ones, of which there are many, are asked for at last.
            if attempt == _ATTEMPTS - 4 and kisa.max_hops > kisa.min_hops:
                selection.open_lengths(kisa.min_hops + 1, kisa.min_hops + 2)
            if attempt == _ATTEMPTS - 3:
                selection.open_lengths(kisa.min_hops, kisa.min_hops + 2)
            if attempt >= _ATTEMPTS - 2:
                selection.open_specialties(kisa.min_hops + (attempt == _ATTEMPTS - 2))
            waiting = {specialty: deque(queues[specialty]) for specialty in sorted(queues)}
            while selection.missing and (tasks := _next_tasks(selection, waiting, attempt)):
                done = next(finished, None)
                if done is None:
                    done = Round(tuple(made for made in workers.make(tasks) if made is not None))
                    log.append(done)
                for made in done.made:
                    if not selection.may_take(made.question):
                        continue
                    if made.rollout is None:
                        selection.unsolved += 1
                    else:
                        selection.take(made.question, made.rollout)
                        progress.advance()
    if selection.missing:
        raise DataError(
            f"only {len(selection.questions)} of {selection.total} {selection.split} questions could be made from this "
            f"ontology: lower kisa.{selection.split}_questions, raise kisa.rare_percentile"
            f"{', or set kisa.refuse_one_search=false' if kisa.refuse_one_search else ''}"
        )


def _next_tasks(selection: Selection, waiting: Mapping[str, deque[Entity]], attempt: int) -> list[Task]:
    """The next round: some seeds of each specialty that lacks questions."""
    tasks: list[Task] = []
    for specialty, queue in waiting.items():
        wanted = 0 if selection.has_enough(specialty) else _SEEDS_A_ROUND
        while wanted and queue:
            seed = queue.popleft().id
            if not selection.is_spent(seed):
                tasks.append(Task(seed, attempt, selection.wanted(specialty)))
                wanted -= 1
    return tasks


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
