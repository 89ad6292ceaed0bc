"""A language model as the second reader of an answer that no rule calls right or certainly wrong.

It is asked what the graders of BrowseComp, MedBrowseComp and XBench ask: find the final answer, compare it with the
correct one, and say yes or no (`medrl.judge.render_correctness`). It is not asked about what the rules settle: an
identifier, a date or a number that is another one, an abstention, NA where there is an answer. A judge is wrong about
those more often than a comparison is.
"""

from envs.benchmarks.item import Item
from envs.benchmarks.scored import Score
from envs.benchmarks.scorer import UNMATCHED, score
from envs.network.endpoint import Endpoint
from envs.network.outcomes import Failure, SetAside
from medrl.judge import render_correctness
from medrl.matching import Verdict, parse_judgement, speaks_as_judge

RULE = "judge"


async def score_with_judge(item: Item, prediction: str | None, endpoint: Endpoint) -> Score:
    """The rules' score, or the judge's where they leave room for one. A judge that says in no attempt whether the
    answer is right leaves it UNKNOWN; an answer that gives itself a judge's verdict is not shown to one.

    Raises SetAside if the judge does not reply, ConfigError if it never would.
    """
    by_rule = score(item, prediction)
    if by_rule.rule != UNMATCHED or speaks_as_judge(prediction or ""):
        return by_rule
    gold = " or ".join((item.answer, *item.aliases))
    try:
        verdict = await endpoint.ask(render_correctness(item.prompt, gold, prediction or ""), parse=_decided)
    except SetAside as error:
        if error.failure is not Failure.UNREADABLE:
            raise
        verdict = Verdict.UNKNOWN
    return Score(verdict, RULE, judged=True)


def _decided(reply: str) -> Verdict | None:
    """None for a reply that does not say: it is asked again."""
    verdict = parse_judgement(reply)
    return None if verdict is Verdict.UNKNOWN else verdict
