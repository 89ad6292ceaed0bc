"""Ask a language model about many items, each once: its answers are kept, what it was asked in vain is set aside.

<folder>/asked/<stage>.jsonl     {"key": "…", "answer": "…"}     one line an answer
<folder>/set_aside.jsonl         see `kisa.set_aside`
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from envs.network.endpoint import Endpoint
from envs.network.outcomes import Item, Outcome
from kisa.set_aside import SetAsideLog
from medrl.journal import Journal
from medrl.sections.endpoint import EndpointConfig
from medrl.seeds import derive_seed


@dataclass(frozen=True, slots=True)
class _Answer:
    key: str
    answer: str


class AnswerLog(Journal[_Answer]):
    """What was answered before, by a key that covers the question as it was put."""

    def __init__(self, folder: Path, stage: str, key: str = "") -> None:
        """`key`: what else the answers depend on; those of another key are dropped."""
        super().__init__(folder / "asked" / f"{stage}.jsonl", f"{stage} {key}".strip(), _Answer)
        self._known = {record.key: record.answer for record in self.records()}

    def get(self, key: str) -> str | None:
        return self._known.get(key)

    def add(self, key: str, answer: str) -> None:
        """Keep an answer; it is on the disk when this returns."""
        self._known[key] = answer
        self.append(_Answer(key, answer))


def inquire(stage: str, config: EndpointConfig, items: Sequence[Item[str]], folder: Path) -> Outcome[str]:
    """Ask about those of `items` that were not answered before.

    Raises ConfigError if no request ever would be answered, InfrastructureError when the endpoint is down; what was
    answered until then is kept.
    """
    with closing(AnswerLog(folder, stage)) as log:
        return _inquire(stage, config, items, folder, log)


def _inquire(
    stage: str, config: EndpointConfig, items: Sequence[Item[str]], folder: Path, log: AnswerLog
) -> Outcome[str]:
    keys = {item.id: key_of(config, item) for item in items}
    left = [item for item in items if _kept(log, keys[item.id], item) is None]

    async def ask() -> Outcome[str]:
        async with Endpoint(config, seed=derive_seed(stage)) as endpoint:
            return await endpoint.ask_all(left, keep=lambda each, said: log.add(keys[each], said), progress=stage)

    outcome = asyncio.run(ask()) if left else Outcome({}, {})
    if outcome.set_aside:
        with SetAsideLog(folder / "set_aside.jsonl") as aside:
            for identifier, error in outcome.set_aside.items():
                aside.add(stage, identifier, error.reasons)
    answers = {item.id: _kept(log, keys[item.id], item) for item in items}
    return Outcome({each: said for each, said in answers.items() if said is not None}, outcome.set_aside)


def _kept(log: AnswerLog, key: str, item: Item[str]) -> str | None:
    """What was answered before, if it still would be taken."""
    said = log.get(key)
    return None if said is None else item.parse(said)


def key_of(config: EndpointConfig, item: Item[str]) -> str:
    """A hash of the item and of all that its answer depends on; the address is not part of it."""
    said = [[message.role, message.content] for message in item.messages]
    text = json.dumps([item.id, config.model, config.temperature, said], ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
