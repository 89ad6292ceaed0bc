"""Episodes as HTML, before and after training. All text is escaped: tools return what strangers wrote."""

import json
from collections.abc import Mapping, Sequence
from html import escape

from medrl.chat import thought_of
from medrl.state import State
from medrl.types import Question, Rollout, Step

_LONG = 320


def choose_pairs(before: Mapping[str, Rollout], after: Mapping[str, Rollout], count: int = 6) -> list[str]:
    """Ids of questions to show: in turn one that was gained, lost, right both times, wrong both times, while they last.

    The order within each kind is that of the evaluation, so nothing is picked by hand.
    """
    kinds: dict[tuple[bool, bool], list[str]] = {
        (False, True): [],
        (True, False): [],
        (True, True): [],
        (False, False): [],
    }
    for question_id, rollout in before.items():
        if question_id in after:
            kinds[_passed(rollout), _passed(after[question_id])].append(question_id)
    chosen: list[str] = []
    while len(chosen) < count and any(kinds.values()):
        chosen += [kind.pop(0) for kind in kinds.values() if kind]
    return chosen[:count]


def render_pair(question: Question, before: Rollout, after: Rollout) -> str:
    """One question with the SFT model's episode and the RL model's, side by side."""
    aliases = f" <small>(or {escape('; '.join(question.aliases))})</small>" if question.aliases else ""
    chain = " → ".join(
        [
            escape(question.relations[0].subject.name),
            *(f"<i>{escape(each.predicate)}</i> {escape(each.object.name)}" for each in question.relations),
        ]
    )
    return (
        f'<section class="question"><h3>{escape(question.text)}</h3>'
        f'<p class="quiet">{question.hops} hops, {escape(question.specialty)}, {escape(question.id)}</p>'
        f"<p>Gold answer: <b>{escape(question.answer)}</b>{aliases}</p>"
        f"<details><summary>The chain behind it</summary><p>{chain}</p>{_clues(question)}</details>"
        f'<div class="pair">{_episode("Before: SFT", before)}{_episode("After: RL", after)}</div></section>'
    )


def _clues(question: Question) -> str:
    if not question.clues:
        return ""
    facts = "; ".join(f"{clue.subject.name} {clue.predicate} {clue.object.name}" for clue in question.clues)
    return f"<p>Clues beside it: {escape(facts)}</p>"


def _episode(title: str, rollout: Rollout) -> str:
    verdict = '<b class="good">✓ correct</b>' if _passed(rollout) else '<b class="bad">✗ not correct</b>'
    answer = f"<b>{escape(rollout.answer)}</b>" if rollout.answer is not None else "none"
    steps = "".join(f"<li>{_step(step)}</li>" for step in rollout.steps)
    return (
        f"<article><h4>{title} {verdict}</h4>"
        f"<p>Answer: {answer}<br>{_reward(rollout)}<br>"
        f'<span class="quiet">ended as {escape(rollout.ending)}, {rollout.num_tool_calls} calls, '
        f"{len(rollout.token_ids):,} tokens</span></p><ol>{steps}</ol>{_state(rollout.state)}</article>"
    )


def _state(state: State) -> str:
    """What was known and believed at the end, in brief."""
    if not state.facts and not state.hypotheses:
        return ""
    held = "".join(
        f"<li><b>{escape(each.name)}</b> {escape(each.status)}"
        f"{f', P = {each.probability:.2g}' if each.probability is not None else ''}: {escape(each.reason)}</li>"
        for each in state.hypotheses
    )
    paths = "".join(f"<li>{' → '.join(map(escape, path))}</li>" for path in state.paths)
    return (
        f"<details><summary>State: {len(state.facts)} facts, {len(state.hypotheses)} hypotheses, {len(state.paths)} "
        f"paths</summary><p>Hypotheses</p><ul>{held}</ul><p>Paths explored</p><ul>{paths}</ul></details>"
    )


def _reward(rollout: Rollout) -> str:
    reward = rollout.reward
    if reward is None:
        return "Reward: not scored"
    return (
        f"Reward <b>{reward.total:.2f}</b>: task {reward.task:.2f}, expert {reward.expert:.2f}, "
        f"efficiency penalty {reward.efficiency:.2f}"
    )


def _step(step: Step) -> str:
    thought = thought_of(step.text)
    parts = []
    if thought:
        parts.append(_part("thought", "Thought", thought))
    if step.call is not None:
        arguments = json.dumps(dict(step.call.arguments), ensure_ascii=False)
        parts.append(_part("call", "Call", f"{step.call.name} {arguments}"))
    elif step.status != "answer" or not thought:
        parts.append(_part("thought", "Turn as written", step.text))
    if step.observation:
        name = "Observation" if step.status == "ok" else "Observation, a mistake"
        parts.append(_part("observation", name, step.observation))
    if step.sources:
        parts.append(f'<p class="quiet">Sources: {escape(", ".join(step.sources))}</p>')
    return "".join(parts)


def _part(kind: str, name: str, text: str) -> str:
    if len(text) <= _LONG:
        return f'<div class="{kind}"><span>{name}</span><pre>{escape(text)}</pre></div>'
    return (
        f'<details class="{kind}"><summary><span>{name}</span> {escape(text[:110])}… '
        f"<small>({len(text):,} characters)</small></summary><pre>{escape(text)}</pre></details>"
    )


def _passed(rollout: Rollout) -> bool:
    return rollout.reward is not None and rollout.reward.task >= 1.0


def tally(before: Mapping[str, Rollout], after: Mapping[str, Rollout]) -> Sequence[tuple[str, int]]:
    """How many questions were gained, lost, and stayed right or wrong."""
    both = [(_passed(before[each]), _passed(after[each])) for each in before if each in after]
    return [
        ("gained by RL", both.count((False, True))),
        ("lost", both.count((True, False))),
        ("right both times", both.count((True, True))),
        ("wrong both times", both.count((False, False))),
    ]
