"""What is logged about rollouts, and what each key means."""

from collections.abc import Collection, Sequence

import numpy as np
import torch

from medrl.grpo import group_advantages
from medrl.types import Ending, Reward, Rollout, RolloutGroup, Step

GLOSSARY: dict[str, str] = {
    "reward/total/mean": "mean over episodes of task + 0.2 expert - 0.1 efficiency (weights as configured)",
    "reward/total/std": "its standard deviation over episodes",
    "reward/task/mean": "mean over episodes of answer correctness, 0 or 1",
    "reward/task/std": "its standard deviation over episodes",
    "reward/expert/mean": "mean over episodes of the expert's rating, 0 to 1",
    "reward/expert/std": "its standard deviation over episodes",
    "reward/efficiency/mean": "mean over episodes of the penalty for wasted calls, 0 to 1; lower is better",
    "reward/efficiency/std": "its standard deviation over episodes",
    "rollout/pass_rate": "mean over questions of the share of its episodes that answered correctly",
    "rollout/answered": "share of episodes that gave an answer, right or wrong",
    "rollout/constant_groups": "share of groups whose episodes all got the same reward",
    "rollout/episodes": "number of episodes",
    "rollout/turns": "mean over episodes of the agent's turns",
    "rollout/tool_calls": "mean over episodes of well-formed tool calls",
    "rollout/mistakes": "mean over episodes of malformed turns and calls that the tool refused",
    "rollout/tokens": "mean over episodes of tokens, prompt and observations included",
    "rollout/action_tokens": "mean over episodes of tokens that the policy sampled",
    "rollout/duration_s": "mean over episodes of wall time, seconds",
    **{f"rollout/ending/{ending}": f"share of episodes that ended as {ending}" for ending in Ending},
    "tools/<name>/calls": "calls of this tool by all episodes together",
    "tools/<name>/error_rate": "share of its calls that were refused as mistakes; absent where it was not called",
    "tools/<name>/latency_p95": "95th percentile of its latency, seconds; absent where it was not called",
    "tools/<name>/cache_hit": "share of its calls whose answer was known, so that none was made; absent where it was "
    "not called",
    "async/staleness_mean": "mean over sampled tokens of the policy versions between sampling and learning",
    "async/staleness_max": "the most of them; the schedule's bound holds it",
    "async/mixed_episodes": "share of episodes under which the weights changed",
    "actor/loss": "the loss that was minimised; at ratio 1 it says nothing about what is learnt",
    "actor/grad_norm": "norm of the gradient, before clipping",
    "actor/entropy": "mean over action tokens of the policy's entropy, nats",
    "actor/ratio_mean": "mean over action tokens of new over old probability; 1 at a batch's first update if decoupled",
    "actor/clipfrac": "share of action tokens whose gradient the clipping removed",
    "actor/clipfrac_low": "those of them at the lower bound, in episodes below the baseline",
    "actor/clipfrac_high": "those of them at the upper bound, in episodes above the baseline",
    "actor/dual_clipfrac": "share of action tokens at the bound grpo.dual_clip; absent without it",
    "actor/approx_kl": "KL(old ‖ new) of the policy, k3 estimate, nats a token; 0 or more",
    "actor/kl_ref": "KL(policy ‖ weights that GRPO started from), k3 estimate, nats a token; absent without grpo.kl",
    "actor/lr": "learning rate",
    "actor/samples": "episodes that were learnt from",
    "actor/updates": "optimiser updates; the figures beside it are means over them",
    "actor/tokens": "tokens of an update, prompt and observations included",
    "actor/action_tokens": "those of them that the policy sampled",
    "actor/seconds": "wall time of an update, seconds",
    "actor/tokens_per_second": "tokens over seconds",
    "perf/learner_idle": "share of a step's wall time in which the learner had nothing to learn from",
    "perf/engine_busy": "share of a step's wall time in which an engine had a request, mean over engines; "
    "absent, as the next, after a step so short that no engine has told anew",
    "perf/engine_requests": "requests that an engine had on average over the step, those that waited in it among them",
    "perf/worker_busy": "share of a step's wall time in which a rollout worker had an episode, mean over workers",
    "perf/worker_episodes": "episodes that a worker had on average over the step, those that waited in it among them",
    "rollout_corr/logp_diff_mean": "mean over action tokens of |learner's - sampler's log-prob|, nats; absent, as all "
    "of rollout_corr, with grpo.ratio=coupled",
    "rollout_corr/kl": "KL(sampler ‖ learner), k3 estimate, nats a token; 0 or more",
    "rollout_corr/kl_k1": "its k1 estimate, the mean of the sampler's less the learner's log-prob; may be below 0",
    "rollout_corr/weight_mean": "mean over action tokens of the correction's weight; absent, as the next two, without",
    "rollout_corr/changed": "share of action tokens whose weight was capped, or set to 0",
    "rollout_corr/ess": "effective sample size of the weights, as a share of the action tokens (Kish 1965)",
    "rollout/outages": "episodes of the step that infrastructure failed under; they are in no mean",
    "curriculum/share/<hops>": "share of questions of so many hops that are drawn next",
    "curriculum/pass_rate/<hops>": "pass rate at so many hops, older steps counting less",
    "curriculum/epoch/<hops>": "times that all questions of so many hops have been drawn",
    "timing_s/wait": "seconds of the step that the controller waited for its groups",
    "timing_s/learn": "seconds of the step that the learner learnt",
    "timing_s/sync": "seconds of the step until the engines had the new weights and the curriculum its pass rates",
    "timing_s/checkpoint": "seconds that the checkpoint of the step before took; absent where there was none",
    "timing_s/step": "wall time of the step, their sum",
    "sync/seconds": "seconds until all engines had the new weights",
    "sync/paused_s": "longest pause of an engine for them",
    "sync/bytes": "size of the weights",
    "sft/loss": "mean over the agent's tokens of their negative log-likelihood, nats",
    "sft/lr": "learning rate",
    "sft/grad_norm": "norm of the gradient, before clipping",
    "sft/entropy": "mean over action tokens of the policy's entropy, nats",
    "sft/tokens": "tokens of an update, prompt and observations included",
    "sft/action_tokens": "those of them that are the agent's",
    "sft/seconds": "wall time of an update, seconds",
    "sft/tokens_per_second": "tokens over seconds",
}
"""Key -> meaning, in the order of display. <name> stands for each tool, <hops> for each length of a chain."""


def rollout_metrics(groups: Sequence[RolloutGroup], tools: Collection[str] = ()) -> dict[str, float]:
    """Metrics of scored groups, with the keys and in the order of `GLOSSARY`.

    `tools` are reported even if they were never called; without it, those that answered at least once are. A call of a
    tool that does not exist counts under rollout/mistakes. Raises ValueError if there are no episodes, or one has no
    reward.
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    if not rollouts:
        raise ValueError("no episodes: nothing to measure")
    rewards = [_reward(rollout) for rollout in rollouts]
    metrics: dict[str, float] = {}
    for term in ("total", "task", "expert", "efficiency"):
        values = np.array([getattr(reward, term) for reward in rewards])
        metrics[f"reward/{term}/mean"] = float(values.mean())
        metrics[f"reward/{term}/std"] = float(values.std())
    filled = [group for group in groups if group.rollouts]
    metrics["rollout/pass_rate"] = _mean([pass_rate(group) for group in filled])
    metrics["rollout/answered"] = _mean([rollout.ending is Ending.ANSWERED for rollout in rollouts])
    metrics["rollout/constant_groups"] = _mean([is_constant(group) for group in filled])
    metrics["rollout/episodes"] = float(len(rollouts))
    metrics["rollout/turns"] = _mean([len(rollout.steps) for rollout in rollouts])
    metrics["rollout/tool_calls"] = _mean([rollout.num_tool_calls for rollout in rollouts])
    metrics["rollout/mistakes"] = _mean([sum(map(_is_mistake, rollout.steps)) for rollout in rollouts])
    metrics["rollout/tokens"] = _mean([len(rollout.token_ids) for rollout in rollouts])
    metrics["rollout/action_tokens"] = _mean([sum(rollout.action_mask) for rollout in rollouts])
    metrics["rollout/duration_s"] = _mean([rollout.duration_s for rollout in rollouts])
    for ending in Ending:
        metrics[f"rollout/ending/{ending}"] = _mean([rollout.ending is ending for rollout in rollouts])
    return metrics | _tool_metrics([step for rollout in rollouts for step in rollout.steps], tools)


def staleness_metrics(groups: Sequence[RolloutGroup], version: int) -> dict[str, float]:
    """How many policy versions the groups' sampled tokens lag behind `version`, which learns from them."""
    lags = [
        version - sampled
        for group in groups
        for rollout in group.rollouts
        for sampled, acted in zip(rollout.versions, rollout.action_mask, strict=True)
        if acted
    ]
    mixed = [len(set(rollout.versions) - {-1}) > 1 for group in groups for rollout in group.rollouts]
    return {
        "async/staleness_mean": _mean(lags),
        "async/staleness_max": float(max(lags)),
        "async/mixed_episodes": _mean(mixed),
    }


def pass_rate(group: RolloutGroup) -> float:
    """Share of a group's episodes that answered correctly: the task term alone."""
    return _mean([_reward(rollout).task for rollout in group.rollouts])


def is_mixed(group: RolloutGroup) -> bool:
    """Whether some of a group's episodes answered correctly and some did not."""
    return bool(group.rollouts) and 0.0 < pass_rate(group) < 1.0


def is_constant(group: RolloutGroup) -> bool:
    """Whether every advantage of the group is exactly 0, by the rule of `group_advantages`."""
    rewards = torch.tensor([_reward(rollout).total for rollout in group.rollouts], dtype=torch.float64)
    return not bool(group_advantages(rewards, torch.zeros(len(rewards), dtype=torch.int64)).any())


def _tool_metrics(steps: Sequence[Step], tools: Collection[str]) -> dict[str, float]:
    called = [(step.call.name, step) for step in steps if step.call is not None]
    names = sorted(tools or {name for name, step in called if step.status == "ok"})
    metrics: dict[str, float] = {}
    for name in names:
        own = [step for each, step in called if each == name]
        metrics[f"tools/{name}/calls"] = float(len(own))
        if own:
            metrics[f"tools/{name}/error_rate"] = _mean([_is_mistake(step) for step in own])
            metrics[f"tools/{name}/latency_p95"] = float(np.quantile([step.latency_s for step in own], 0.95))
            metrics[f"tools/{name}/cache_hit"] = _mean([step.cached for step in own])
    return metrics


def _is_mistake(step: Step) -> bool:
    return step.status in ("mistake", "malformed")


def _reward(rollout: Rollout) -> Reward:
    if rollout.reward is None:
        raise ValueError(f"{rollout.question_id}/{rollout.sample} has no reward: score it before measuring it")
    return rollout.reward


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
