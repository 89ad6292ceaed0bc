"""Episodes of a benchmark as they are kept, made by hand."""

from envs.benchmarks.item import Item, ItemSet
from medrl.chat import render_answer, render_call
from medrl.types import Ending, Rollout, Step, ToolCall

ITEMS = tuple(
    Item(
        f"i{number}",
        "made-up",
        f"Which gene causes disease {number}?",
        "NA" if number % 5 == 0 else f"GEN{number}",
        task=("gene", "sign | mark")[number % 2],
        hops=1 + number % 3,
        is_na=number % 5 == 0,
    )
    for number in range(12)
)
SET = ItemSet("made-up", ITEMS, {"needs a picture": 2})


def rollout(item: Item, answer: str | None, sample: int = 0, calls: int = 1) -> Rollout:
    """An episode of so many calls, each of which shows the right answer."""
    steps = []
    for turn in range(calls):
        call = ToolCall(
            "web_search" if turn else "medical_retriever", {"query": f"{item.answer if turn else ''} {turn}"}
        )
        steps.append(Step(render_call("look", call), call, f"It is {item.answer}.", "ok", (f"doc{turn}",)))
    if answer is not None:
        steps.append(Step(render_answer("so", answer), None, "", "answer"))
    ending = Ending.TURN_LIMIT if answer is None else Ending.ANSWERED
    mask = [False, True, True]
    return Rollout(item.id, sample, [1, 2, 3], mask, [0.0] * 3, [-1] * 3, steps, ending, answer, duration_s=2.0)
