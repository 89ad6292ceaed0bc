"""The stages of a run (`launch.stages`), each from files to files.

A stage that was finished before is not done again, so an interrupted run goes on where it stopped. The commands
`medrl synthesize | sft | train | eval | quickstart` ask for different stages of the same pipeline.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from transformers import AutoTokenizer

from actors import placement
from actors.learner import LearnerGroup
from actors.shared_folders import require_shared
from envs.tools.selector import Selector
from kisa.dataset import Dataset, load_dataset, synthesize
from kisa.knowledge import build_knowledge
from kisa.quality import assess_files
from kisa.tasks import task_of
from kisa.tool_choice import learn_tool_choice
from launch import preflight
from launch.aside import aside
from launch.checkpoints import Checkpoints, Standing
from launch.eval import evaluate
from launch.health import Health
from launch.memory import MemoryMeter
from launch.players import Players, start_players
from launch.quality_page import examples, quality_reminder, render_quality, summary_lines
from launch.recovery import with_learner
from launch.report import write_report
from launch.rundir import RunDirectory
from launch.sft import finetune
from launch.stages import SYNTHESIZE
from launch.summary import headline, reminder, write_summary
from launch.tracking import Tracker
from launch.train import Trainer
from launch.trajectories import TrajectoryLog
from medrl.config import Config
from medrl.experts import described, settled
from medrl.records import write_json, write_text

T = TypeVar("T")


def run(config: Config, stages: Sequence[str]) -> RunDirectory:
    """Do those of `stages` that are not done yet, in order."""
    base_model = preflight.check(config)
    with ExitStack() as stack:
        run_dir = stack.enter_context(RunDirectory(config))
        pending = [stage for stage in stages if not run_dir.done(stage)]
        if not pending:
            told = quality_reminder(config.data_path) if stages == SYNTHESIZE else reminder(run_dir.path)
            print(f"nothing left to do in {run_dir.path}\n{told}".rstrip())
            return run_dir
        if (learnt := settled(config)) is not None:
            print("\n  ".join(("r_expert", *described(learnt))))
        memory = stack.enter_context(MemoryMeter())
        tracker = stack.enter_context(Tracker(config, run_dir.path))
        health = stack.enter_context(Health(run_dir.path, lambda: tracker.last))
        pipeline = Pipeline(config, run_dir, tracker, health, base_model, stack)
        for stage in pending:
            health.stage = stage
            with run_dir.stage(stage) as result:
                result |= getattr(pipeline, stage)()
                result["peak_rss_gb"] = memory.peak_gb
            run_dir.checkpoints(stage).clear()
    return run_dir


class Pipeline:
    """One method a stage, returning what is kept of it in stages.json.

    What several stages share (documents, questions, running actors) is made when it is first needed.
    """

    def __init__(
        self,
        config: Config,
        run_dir: RunDirectory,
        tracker: Tracker,
        health: Health,
        base_model: Path,
        stack: ExitStack,
    ) -> None:
        """`base_model` is a Hugging Face folder; `stack` owns the actors, which live until the command ends."""
        self._config = config
        self._run_dir = run_dir
        self._tracker = tracker
        self._health = health
        self._base_model = base_model
        self._stack = stack
        self._log = TrajectoryLog(run_dir.path)

    def knowledge(self) -> dict[str, Any]:
        """Documents, disease profiles and the graph, from the ontology."""
        return {"folder": str(self._knowledge)}

    def data(self) -> dict[str, Any]:
        """Questions and guided trajectories, and the choice of tools fitted to them."""
        tokenizer = AutoTokenizer.from_pretrained(self._base_model)
        folder = self._data_folder
        made = aside(make_data, self._config, self._knowledge, folder, tokenizer, self._base_model)
        self._tracker.log_data([folder / "questions.jsonl", folder / "trajectories.jsonl"])
        return made

    def quality(self) -> dict[str, Any]:
        """quality.json and quality.html beside the questions; the gates on stdout."""
        folder = self._data_folder
        report = aside(assess_files, self._config, self._knowledge, folder, self._base_model)
        write_json(folder / "quality.json", report.as_json())
        questions = [*self._dataset.train, *self._dataset.heldout]
        page = folder / "quality.html"
        write_text(page, render_quality(self._config.name, report, examples(questions)))
        print(f"{summary_lines(report)}\n\nreport: {page}")
        return {"passed": report.passed}

    def sft(self) -> dict[str, Any]:
        """Base model -> checkpoints/sft."""
        trajectories, checkpoints = self._dataset.trajectories, self._run_dir.checkpoints("sft")
        tasks = {question.id: task_of(question) for question in self._dataset.train}

        async def work(learner: LearnerGroup) -> None:
            await finetune(self._config, learner, trajectories, tasks, self._tracker, checkpoints)
            await learner.save_pretrained(self._checkpoint("sft"))

        before_s = checkpoints.seconds
        self._with_learner("base", work, checkpoints)
        self._tracker.log_checkpoint("sft", self._checkpoint("sft"))
        used = min(len(trajectories), self._config.sft.updates * self._config.sft.batch_trajectories)
        return {"trajectories": used, "updates": self._config.sft.updates, "before_s": before_s}

    def grpo(self) -> dict[str, Any]:
        """checkpoints/sft -> checkpoints/rl."""
        checkpoints = self._run_dir.checkpoints("grpo")
        trainer = Trainer(self._config, self._players, self._dataset.train, self._tracker, self._log, checkpoints)

        async def work(learner: LearnerGroup) -> Standing:
            standing = await trainer.train(learner)
            await learner.save_pretrained(self._checkpoint("rl"))
            return standing

        before_s = checkpoints.seconds
        standing = self._with_learner("sft", work, checkpoints)
        self._tracker.log_checkpoint("rl", self._checkpoint("rl"))
        return {"episodes": standing.episodes, "steps": standing.step, "before_s": before_s}

    def eval_base(self) -> dict[str, Any]:
        return self._evaluate("base")

    def eval_sft(self) -> dict[str, Any]:
        return self._evaluate("sft")

    def eval_rl(self) -> dict[str, Any]:
        return self._evaluate("rl")

    def report(self) -> dict[str, Any]:
        """summary.json and report.html, from what the other stages left; the headline on stdout."""
        summary = write_summary(self._config, self._run_dir, self._dataset)
        page = write_report(self._run_dir.path)
        print(headline(summary), f"\n\nreport: {page}")
        return {"report": str(page)}

    def _evaluate(self, checkpoint: str) -> dict[str, Any]:
        questions = self._dataset.heldout[: self._config.eval.questions]
        # The base model is measured greedily alone: only SFT and RL are compared at the training temperature.
        samples = 0 if checkpoint == "base" else self._config.eval.samples
        return asdict(evaluate(self._config, self._playing(checkpoint), questions, checkpoint, samples, self._log))

    @cached_property
    def _knowledge(self) -> Path:
        return aside(build_knowledge, self._config.knowledge)

    @cached_property
    def _dataset(self) -> Dataset:
        return load_dataset(self._data_folder)

    @property
    def _data_folder(self) -> Path:
        return self._config.data_path

    def _checkpoint(self, name: str) -> Path:
        return self._base_model if name == "base" else self._run_dir.path / "checkpoints" / name

    @cached_property
    def _ray(self) -> None:
        self._stack.enter_context(placement.session(self._config))
        self._stack.enter_context(self._health.session())
        cache = Path(self._config.knowledge.cache).expanduser()
        require_shared({"model.path": self._base_model}, {"knowledge.cache": cache, "run_dir": self._run_dir.path})

    @cached_property
    def _players(self) -> Players:
        _ = self._ray
        selector = Selector.load(self._config.tool_choice_path) if self._config.uses_tool_choice else None
        playing = start_players(self._config, self._base_model, self._knowledge, selector=selector)
        players = self._stack.enter_context(playing)
        self._stack.enter_context(self._health.listening(players.signs))
        return players

    def _playing(self, checkpoint: str) -> Players:
        """The actors, with the weights of `checkpoint`."""
        self._players.pool.load(self._checkpoint(checkpoint))
        return self._players

    def _with_learner(
        self, start_from: str, work: Callable[[LearnerGroup], Awaitable[T]], checkpoints: Checkpoints
    ) -> T:
        start = partial(self._learner, self._checkpoint(start_from), alone=start_from == "base")
        return asyncio.run(with_learner(start, work, checkpoints, self._config.checkpoint.restarts))

    @contextmanager
    def _learner(self, model: Path, alone: bool) -> Iterator[LearnerGroup]:
        _ = self._ray
        learner = LearnerGroup(self._config, model, alone=alone)
        try:
            with self._health.listening(learner.signs):
                yield learner
        finally:
            learner.close()


def make_data(config: Config, knowledge: Path, folder: Path, tokenizer: Any, policy: Path) -> dict[str, Any]:
    """In one process: what it imports takes as long as a small data set."""
    counts = synthesize(config, knowledge, folder, tokenizer, policy=policy)
    return counts | {"tool_choice": learn_tool_choice(config, knowledge, folder)}
