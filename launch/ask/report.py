"""What comes of the episodes of a question."""

from collections.abc import Sequence

from launch.ask.calibration import Calibration
from launch.ask.citations import cite
from launch.ask.events import Report, Rival, Usage
from medrl.errors import InfrastructureError
from medrl.types import Ending, Rollout
from medrl.voting import Agreement, agree


def make_report(
    question: str,
    results: Sequence[Rollout | InfrastructureError],
    calibration: Calibration | None,
    temperature: float,
    seconds: float,
) -> Report:
    """`results`: one at least of them an episode; the first is the greedy one, where it could be played. `temperature`:
    of the others. Only a question all of whose samples were played can be compared with held-out ones."""
    rollouts = [each for each in results if isinstance(each, Rollout)]
    answers = [rollout.answer for rollout in rollouts]
    found = agree(answers)
    leader = found.leader
    low, high = found.interval
    calibrated = None
    if calibration is not None and leader is not None and len(rollouts) == len(results):
        calibrated = calibration.of(answers, temperature, leader.answer)
    return Report(
        question=question,
        answer=leader.answer if leader else None,
        shown=results[0].answer if isinstance(results[0], Rollout) else None,
        differs=isinstance(results[0], Rollout) and leader is not None and 0 not in leader.members,
        confidence=in_words(found),
        is_sure=found.is_sure,
        votes=found.votes,
        samples=found.samples,
        low=low,
        high=high,
        rivals=tuple(Rival(each.answer, each.votes) for each in found.clusters[1:]),
        silent=found.silent,
        failed=tuple(str(each) for each in results if isinstance(each, InfrastructureError)),
        citations=cite([rollouts[member] for member in leader.members], leader.answer) if leader else (),
        calibrated=calibrated,
        calibration=calibrated.words(len(results)) if calibrated else "",
        usage=usage(rollouts),
        seconds=seconds,
        was_cut=leader is None and any(each.ending is Ending.TOKEN_LIMIT for each in rollouts),
    )


def usage(rollouts: Sequence[Rollout]) -> Usage:
    """Each token counted once, as the engines' caches hold what a turn shares with the one before it."""
    sampled = sum(sum(rollout.action_mask) for rollout in rollouts)
    return Usage(sum(len(rollout.token_ids) for rollout in rollouts) - sampled, sampled)


def in_words(found: Agreement) -> str:
    """How sure the agent is of itself, without claiming more."""
    if found.leader is None:
        return f"No answer: none of {_samples(found.samples)} gave one."
    if found.samples == 1:
        return "One sample was played, so nothing is known of how sure the agent is."
    low, high = found.interval
    lead = "" if found.is_sure else "Unsure: only "
    said = f"{lead}{found.votes} of {_samples(found.samples)} give this answer"
    return (
        f"{said} (share {found.share:.2f}, 95% interval {low:.2f} to {high:.2f}). "
        f"This is agreement of {found.samples} samples, not a calibrated probability."
    )


def _samples(count: int) -> str:
    return "1 sample" if count == 1 else f"{count} samples"
