"""Fit the choice of tools to the teacher's episodes."""

from pathlib import Path
from typing import Any

from envs.toolbox import open_vocabulary
from envs.tools.selector import decisions, fit
from kisa.dataset import load_dataset
from medrl.config import TOOL_CHOICE, Config
from medrl.matching import answers


def learn_tool_choice(config: Config, knowledge: Path, out: Path) -> dict[str, Any]:
    """Fit w_m and w_g to the episodes in `out` that ended with the right answer; write tool_choice.json beside them.

    Raises DataError if there are none.
    """
    dataset = load_dataset(out)
    vocabulary = open_vocabulary(knowledge, config.knowledge)
    questions = {question.id: question for question in dataset.train}
    selector = fit(
        decision
        for rollout in dataset.trajectories
        if answers(rollout.answer or "", questions[rollout.question_id])
        for decision in decisions(questions[rollout.question_id].text, rollout.steps, vocabulary)
    )
    selector.save(out / TOOL_CHOICE)
    return {"decisions": selector.decisions}
