"""The judge is asked once about what no rule settles; its outage is no verdict."""

from pathlib import Path

from envs.benchmarks.item import Item
from envs.benchmarks.scored import Scored
from launch.benchmarks.judging import judged
from launch.benchmarks.results import scored
from medrl.matching import Verdict
from medrl.sections.endpoint import JudgeConfig
from tests.launch.benchmarks.kept import rollout
from tests.misbehaving import Asked, Behaviour, MisbehavingServer, says, status

ITEM = Item("i", "made-up", "Which company makes it?", "Genentech", task="company")


def lines(*answers: str | None) -> list[tuple[Item, Scored]]:
    return [(ITEM, scored(ITEM, rollout(ITEM, answer, number))) for number, answer in enumerate(answers)]


def judge(server: MisbehavingServer, model: str = "j") -> JudgeConfig:
    return JudgeConfig(url=server.url, model=model, timeout_s=2.0, attempts=2, backoff_s=0.0)


def behave(asked: Asked) -> Behaviour:
    said = str(asked.body["messages"])
    return says("It names the same company. correct: yes" if "San Francisco" in said else "Another one. correct: no")


def test_only_what_no_rule_settles_is_asked_and_once(tmp_path: Path) -> None:
    answers = lines("Genentech", "The one from South San Francisco", "Pfizer", None)
    with MisbehavingServer(behave) as server:
        found, failed = judged(judge(server), tmp_path, answers)
        assert [line.verdict for line in found] == [
            *(Verdict.CORRECT, Verdict.CORRECT),
            *(Verdict.INCORRECT, Verdict.UNKNOWN),
        ]
        assert [line.judged for line in found] == [False, True, True, False] and not failed
        assert len(server.requests) == 2
        again, _ = judged(judge(server), tmp_path, answers)
        assert again == found and len(server.requests) == 2
        judged(judge(server, "another"), tmp_path, answers)
        assert len(server.requests) == 4  # another judge has other replies
        judged(judge(server), tmp_path, answers)
        assert len(server.requests) == 4  # and the first one's are still there


def test_a_judge_that_is_down_leaves_the_answer_out(tmp_path: Path) -> None:
    answers = lines("Genentech", "Roche's daughter")
    with MisbehavingServer(lambda asked: status(503)) as server:
        found, failed = judged(judge(server), tmp_path, answers)
    assert [line.prediction for line in found] == ["Genentech"]
    assert len(failed) == 1 and "HTTP status 503" in failed[0]
