"""One question of a benchmark, whichever it is from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from medrl.types import Question


@dataclass(frozen=True, slots=True)
class Item:
    """What is asked, and what counts as its answer.

    `prompt`: the question as the benchmark words it. `aliases`: other answers that are as right as `answer`. `task`:
    what is asked for (an ingredient, a stock price), by which results are split; "" where the benchmark has no tasks.
    `level`: GAIA's difficulty, 1 to 3. `hops`: None where it is not known. `is_na`: the right answer is that there is
    none.
    """

    id: str
    benchmark: str
    prompt: str
    answer: str
    aliases: tuple[str, ...] = ()
    task: str = ""
    level: int | None = None
    hops: int | None = None
    is_na: bool = False


@dataclass(frozen=True, slots=True)
class ItemSet:
    """A benchmark as loaded. `left_out`: from the reason to the number of questions that cannot be asked."""

    name: str
    items: tuple[Item, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


def as_question(item: Item) -> Question:
    """The item as an environment plays it: no chain, as none is known, and held out. Unknown hops are 0."""
    return Question(
        id=item.id,
        text=item.prompt,
        answer=item.answer,
        aliases=item.aliases,
        hops=item.hops or 0,
        specialty=item.task or item.benchmark,
        split="heldout",
        relations=(),
    )
