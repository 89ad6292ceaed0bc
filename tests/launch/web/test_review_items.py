from launch.web.episodes import Entry
from launch.web.review_items import PAIRS_A_QUESTION, Item, choose_pairs, choose_singles
from medrl.types import Ending, Reward


def entry(
    digest: str, question: str = "q", task: float | None = 0.0, total: float | None = None, **other: object
) -> Entry:
    reward = None if task is None else Reward(task if total is None else total, task, 0.0, 0.0)
    ending = other.get("ending", Ending.ANSWERED)
    part = str(other.get("part", "rl"))
    return Entry(part, 0, 1, question, 0, digest, reward, Ending(str(ending)), 1, 1, 1, 0.0, ())


def digests(items: list[Item]) -> list[set[str]]:
    return [{each.digest for each in item.entries} for item in items]


def test_pairs_of_equal_reward_are_not_shown_and_outcomes_take_turns_with_rewards() -> None:
    right, wasteful, wrong = entry("a", task=1.0), entry("b", task=1.0, total=0.9), entry("c")
    silent = entry("d", ending=Ending.NO_TOOL_CALL, total=-0.1)
    same = entry("e", task=1.0)
    pairs = digests(choose_pairs([right, wasteful, wrong, silent], seed=0))
    assert len(pairs) == PAIRS_A_QUESTION
    assert pairs[0] in ({"a", "c"}, {"b", "c"})
    assert pairs[1] == {"a", "b"}
    assert "d" not in pairs[2]  # a right and a wrong answer once more
    assert "d" in pairs[3]
    assert choose_pairs([right, same], seed=0) == []
    assert digests(choose_pairs([entry("a", task=None), entry("b", task=None)], seed=0)) == [{"a", "b"}]


def test_episodes_that_read_the_same_are_one_and_questions_are_not_mixed() -> None:
    twice = [entry("a", task=1.0, part="sft"), entry("a", task=1.0, part="rl"), entry("b", "other")]
    assert choose_pairs(twice, seed=0) == []


def test_questions_take_turns_in_an_order_of_the_seed() -> None:
    entries = [entry(f"{q}-{n}", q, task=float(n % 2), total=n / 10) for q in "abcdefgh" for n in range(6)]
    pairs = choose_pairs(entries, seed=1)
    firsts = [item.entries[0].question_id for item in pairs]
    assert sorted(firsts[:8]) == list("abcdefgh")
    assert firsts[:8] == firsts[8:16]
    assert pairs == choose_pairs(reversed(entries), seed=1) or digests(pairs) == digests(
        choose_pairs(reversed(entries), seed=1)
    )
    assert firsts != [item.entries[0].question_id for item in choose_pairs(entries, seed=2)]


def test_each_rater_sees_sides_of_their_own_and_half_of_them_turned() -> None:
    entries = [entry(f"{q}-{n}", f"q{q}", task=float(n)) for q in range(200) for n in range(2)]
    pairs = choose_pairs(entries, seed=0)
    turned = {rater: [item.shown_to(rater, 0).entries[0] != item.entries[0] for item in pairs] for rater in ("A", "B")}
    assert all(80 < sum(each) < 120 for each in turned.values())
    assert turned["A"] != turned["B"]
    assert all(item.shown_to("A", 0).id == item.id == Item(item.kind, item.entries[::-1]).id for item in pairs)


def test_single_episodes_come_so_that_they_can_be_compared() -> None:
    entries = [entry(f"{q}-{n}", f"q{q}", task=float(n % 2), total=n / 10) for q in range(3) for n in range(3)]
    pairs = choose_pairs(entries, seed=0)
    singles = choose_singles(pairs)
    assert [each.entries[0].digest for each in singles[:2]] == [each.digest for each in pairs[0].entries]
    assert len({each.id for each in singles}) == len(singles) == 9
