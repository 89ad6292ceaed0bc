"""How well the fitted choice of tools foretells which class of tool is called next, on questions it has not seen.

    python benchmarks/tool_choice.py DATA KNOWLEDGE [--heldout 0.3] [--resamples 1000] [--cache DIR]

DATA is a folder with questions.jsonl and trajectories.jsonl, KNOWLEDGE one that `kisa.knowledge.build_knowledge` wrote.
Questions are split by a hash of their id; intervals are 95% percentiles of a bootstrap over questions, as decisions of
one episode hang together. AUC: of two decisions, one followed by a call of the class and one not, how often the former
was given the higher P; 0.5 is chance. The majority gives every decision the same P, so its AUC is 0.5; its accuracy,
and that of P > 0.5, stand beside.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from envs.toolbox import open_vocabulary
from envs.tools.selector import FEATURES, Decision, Selector, ToolClass, decisions, fit
from medrl.records import read_jsonl
from medrl.sections.knowledge import KnowledgeConfig
from medrl.seeds import derive_seed
from medrl.types import Question, Rollout

TOOL_CLASSES: tuple[ToolClass, ...] = ("medical", "general")
Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]


class Made(NamedTuple):
    """A decision of the teacher: on which question, in which kind of episode, as which turn, from 1."""

    question: str
    origin: str
    turn: int
    decision: Decision


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("knowledge", type=Path)
    parser.add_argument("--heldout", type=float, default=0.3, help="share of the questions")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--cache", default=KnowledgeConfig().cache)
    arguments = parser.parse_args()
    made = read(arguments.data, arguments.knowledge, KnowledgeConfig(cache=arguments.cache))
    held = {each.question for each in made if derive_seed("held out", each.question) / 2**31 < arguments.heldout}
    train = [each for each in made if each.question not in held]
    test = [each for each in made if each.question in held]
    strayed = [each for each in train if each.origin == "exploration"]
    questions = {each.question for each in train}
    print(f"{len(questions)} questions and {len(train)} decisions to fit to; held out: {len(held)} questions")
    fitted = fit(each.decision for each in train)
    report("all episodes", fitted, train, test, arguments.resamples)
    for origin in ("guided", "exploration"):
        report(f"{origin} alone", fitted, train, [each for each in test if each.origin == origin], arguments.resamples)
    strays = [each for each in test if each.origin == "exploration"]
    alone = fit(each.decision for each in strayed)
    report("exploration alone, fitted to exploration alone", alone, strayed, strays, arguments.resamples)
    print("\nexploration, by turn (weights of all episodes)")
    for name, turns in (("turn 1", (1,)), ("turn 2", (2,)), ("turn 3", (3,)), ("turn 4 on", range(4, 100))):
        some = [each for each in strays if each.turn in turns]
        told = [f"{each} {area(scores(fitted, each, some), labels(each, some)):.3f}" for each in TOOL_CLASSES]
        shares = [f"{each} {labels(each, some).mean():.2f}" for each in TOOL_CLASSES]
        print(f"  {name:10} n = {len(some):5}  AUC {', '.join(told)}  share of calls {', '.join(shares)}")
    print(f"\n{'weights':16}{'medical':>9}{'general':>9}")
    for name, medical, general in zip(FEATURES, fitted.medical, fitted.general, strict=True):
        print(f"{name:16}{medical:9.2f}{general:9.2f}")


def read(data: Path, knowledge: Path, config: KnowledgeConfig) -> list[Made]:
    """Every decision of every episode."""
    texts = {question.id: question.text for question in read_jsonl(data / "questions.jsonl", Question)}
    vocabulary = open_vocabulary(knowledge, config)
    return [
        Made(rollout.question_id, rollout.origin, turn, decision)
        for rollout in read_jsonl(data / "trajectories.jsonl", Rollout)
        for turn, decision in enumerate(decisions(texts[rollout.question_id], rollout.steps, vocabulary), start=1)
    ]


def report(title: str, fitted: Selector, train: list[Made], test: list[Made], resamples: int) -> None:
    """AUC and accuracy of each class on `test`, beside those of simpler choices fitted to `train`."""
    print(f"\n{title}: {len({each.question for each in test})} questions, {len(test)} decisions")
    print(f"  {'':10}{'':24}{'AUC':>6}  {'95% interval':16}{'accuracy':>9}")
    for name in TOOL_CLASSES:
        called = labels(name, test)
        base = labels(name, train).mean()
        rivals: dict[str, Scores] = {
            "fitted choice": scores(fitted, name, test),
            "majority": np.full(len(test), base),
            "medical terms alone": scores(only(train, "medical_terms"), name, test),
            "turn alone": scores(only(train, "turn"), name, test),
        }
        for rival, given in rivals.items():
            low, high = interval(given, called, [each.question for each in test], resamples)
            right = ((given > 0.5) == called).mean()
            print(f"  {name:10}{rival:24}{area(given, called):6.3f}  [{low:.3f}, {high:.3f}]{'':2}{right:9.3f}")


def only(train: list[Made], feature: str) -> Selector:
    """The choice fitted to one feature, all others being 0."""
    place = FEATURES.index(feature)
    keep = [number in (0, place) for number in range(len(FEATURES))]

    def blind(decision: Decision) -> Decision:
        return Decision(tuple(v * k for v, k in zip(decision.features, keep, strict=True)), decision.called)

    return fit(blind(each.decision) for each in train)


def scores(selector: Selector, name: ToolClass, test: Iterable[Made]) -> Scores:
    """P of the class for each decision."""
    given = [selector.probabilities(each.decision.features) for each in test]
    return np.array([each.medical if name == "medical" else each.general for each in given])


def labels(name: ToolClass, test: Iterable[Made]) -> Labels:
    """Whether each decision called the class."""
    return np.array([each.decision.called == name for each in test])


def area(given: Scores, called: Labels) -> float:
    """AUC by ranks (Mann-Whitney), ties half; nan where all decisions are alike."""
    positive, negative = int(called.sum()), int((~called).sum())
    if not positive or not negative:
        return float("nan")
    _, place, count = np.unique(given, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((ranks[called].sum() - positive * (positive + 1) / 2) / (positive * negative))


def interval(given: Scores, called: Labels, questions: list[str], resamples: int) -> tuple[float, float]:
    """95% percentile interval of the AUC, questions drawn with replacement."""
    rows: dict[str, list[int]] = {}
    for number, question in enumerate(questions):
        rows.setdefault(question, []).append(number)
    groups = [np.array(each) for each in rows.values()]
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(resamples):
        drawn = np.concatenate([groups[each] for each in rng.integers(len(groups), size=len(groups))])
        areas.append(area(given[drawn], called[drawn]))
    low, high = np.nanpercentile(areas, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
