"""The controller loop: question -> rollout -> reward -> learner -> weights -> pool, one policy version a step.

curriculum -> Flow: RolloutWorkers <-> InferencePool, RewardActor -> buffer
    ^                                       ^                          |
pass rates                                  | weights, versioned       | the groups of a step
    |                                       |                          v
    +------------------------------- LearnerGroup <- advantages <------+

The loop is the same for every schedule: what may be in flight while the learner learns is the buffer's decision.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from tqdm import tqdm

from actors.curriculum import CurriculumService
from actors.learner import LearnerGroup
from launch.checkpoints import Checkpoints, Standing
from launch.flow import Batch, Flow
from launch.players import Players, watched
from launch.tracking import Tracker
from launch.trajectories import LearntEpisode, TrajectoryLog
from launch.usage import Usage
from medrl.batch import train_samples
from medrl.config import Config
from medrl.metrics import rollout_metrics, staleness_metrics
from medrl.packing import TrainSample
from medrl.progress import Progress
from medrl.sections.learning import GRPOConfig
from medrl.types import Question


@dataclass(frozen=True, slots=True)
class Trainer:
    """All that the loop talks to."""

    config: Config
    players: Players
    questions: Sequence[Question]
    tracker: Tracker
    log: TrajectoryLog
    checkpoints: Checkpoints

    async def train(self, learner: LearnerGroup) -> Standing:
        """`grpo.steps` steps, from the last checkpoint or from the start. Returns where that led."""
        async with watched(self.players.pool):
            return await self._steps(learner)

    async def _steps(self, learner: LearnerGroup) -> Standing:
        config, pool = self.config, self.players.pool
        standing = await self._restore(learner)
        begun = time.monotonic() - standing.seconds
        total = config.grpo.steps * config.grpo.groups_per_step * config.grpo.group_size
        with (
            Progress("grpo", total, "episode", done=standing.episodes) as progress,
            CurriculumService.running(config, self.questions, standing.curriculum) as curriculum,
        ):
            async with Flow(config, self.players, curriculum, standing.buffer, progress.advance) as flow:
                timer, usage = StepTimer(), Usage(self.players)
                for step in range(standing.step, config.grpo.steps):
                    batch = await flow.take()
                    timer.lap("wait")
                    samples = train_samples(batch.groups, config.grpo)
                    stats, learnt = await learn(learner, samples, config.grpo, step)
                    timer.lap("learn")
                    stats |= await pool.follow(learner, step + 1)
                    stats |= await curriculum.observe(batch.groups, batch.unplayed)
                    await flow.advance(step + 1)
                    timer.lap("sync")
                    progress.expect((step + 1) / config.grpo.steps)  # refilled groups are more than were foreseen
                    self._report(step, batch, learnt, stats | timer.metrics() | usage.metrics())
                    standing = replace(
                        standing,
                        step=step + 1,
                        episodes=standing.episodes + batch.episodes,
                        seconds=time.monotonic() - begun,
                    )
                    if (step + 1) % config.checkpoint.every == 0 or step + 1 == config.grpo.steps:
                        await self._save(learner, standing, flow)
                        timer.lap("checkpoint")  # counted with the next step
        return standing

    async def _restore(self, learner: LearnerGroup) -> Standing:
        """Where the last checkpoint stands, with its weights in learner and pool."""
        if (last := self.checkpoints.last) is None:
            standing = Standing()
        else:
            standing = self.checkpoints.read(last)
            await learner.load_checkpoint(last)
        await self.players.pool.update_weights(await learner.export_weights(standing.step))
        return standing

    async def _save(self, learner: LearnerGroup, standing: Standing, flow: Flow) -> None:
        buffer, curriculum = await flow.state()
        with self.checkpoints.writing(replace(standing, buffer=buffer, curriculum=curriculum)) as folder:
            await learner.save_checkpoint(folder)

    def _report(self, step: int, batch: Batch, learnt: list[LearntEpisode], stats: dict[str, float]) -> None:
        if batch.outages:
            dropped = f"step {step}: {len(batch.outages)} episodes dropped; the first: {batch.outages[0]}"
            tqdm.write(dropped, file=sys.stderr)
        self.log.write(f"grpo-{step:04d}", batch.groups)
        if self.config.tracking.token_logprobs:
            self.log.write_learnt(f"grpo-{step:04d}", learnt)
        self.tracker.log_episodes(batch.groups, step=step)
        metrics = rollout_metrics(batch.groups) | staleness_metrics(batch.groups, step) | stats
        self.tracker.log(metrics | {"rollout/outages": len(batch.outages)}, step=step, stage="grpo")


async def learn(
    learner: LearnerGroup, samples: list[TrainSample], settings: GRPOConfig, step: int
) -> tuple[dict[str, float], list[LearntEpisode]]:
    """One step's optimiser updates, `grpo.updates_per_batch` of them, over disjoint shares of the samples.

    Samples without advantage teach nothing and are left out if so configured; the loss is averaged over all the same.
    With a KL term they do bear on the loss, and stay. A step in which no group had spread says so. With several updates
    the ratio is taken against the weights before the first. Returns the means over the updates, and what was learnt
    from: with a coupled ratio and several updates, each sample's log-probs are those before its own.
    """
    # What the loss is averaged over, before anything is left out.
    counted = sum(s.num_actions for s in samples) if settings.aggregation == "token_mean" else len(samples)
    if settings.skip_constant_groups and not settings.kl:
        samples = [sample for sample in samples if sample.advantage != 0.0]
    if not samples:
        return {"actor/samples": 0.0}, []
    lr = settings.lr * min(1.0, (step + 1) / (settings.warmup_steps + 1))
    updates = min(settings.updates_per_batch, len(samples))
    old = await learner.logprobs(samples) if updates > 1 and settings.ratio == "decoupled" else None
    reference = await learner.reference_logprobs(samples) if settings.kl else None
    before = [[0.0]] * len(samples)
    stats = []
    for share in range(updates):
        each, before[share::updates] = await learner.update(
            samples[share::updates],
            "policy",
            lr,
            None if old is None else old[share::updates],
            counted / updates,
            None if reference is None else reference[share::updates],
        )
        stats.append(each)
    learnt = list(map(LearntEpisode.of, samples, before if old is None else old))
    means = {f"actor/{name}" if "/" not in name else name: fmean(each[name] for each in stats) for name in stats[0]}
    counts = {"actor/samples": float(len(samples)), "actor/updates": float(updates)}
    return means | {"actor/lr": lr} | counts, learnt


class StepTimer:
    """Where a step's wall time goes, in seconds by lap."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """End the lap that began with the last one."""
        now = time.monotonic()
        self._laps[name] = self._laps.get(name, 0.0) + now - self._last
        self._last = now

    def metrics(self) -> dict[str, float]:
        """`timing_s/<lap>` and their sum, and the share in which the learner had nothing to do; starts again."""
        laps, self._laps = self._laps, {}
        total = sum(laps.values())
        times = {f"timing_s/{name}": seconds for name, seconds in laps.items()}
        return times | {"timing_s/step": total, "perf/learner_idle": 1.0 - laps.get("learn", 0.0) / total}
