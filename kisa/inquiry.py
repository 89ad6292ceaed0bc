"""Ask a language model about many items, each once: its answers are kept, what it was asked in vain is set aside.

<folder>/asked/<stage>.jsonl     {"key": "…", "answer": "…"}     one line an answer
<folder>/set_aside.jsonl         see `kisa.set_aside`
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from envs.endpoint import Endpoint
from envs.outcomes import Item, Outcome
from kisa.set_aside import SetAsideLog
from medrl.errors import DataError
from medrl.records import whole_lines, write_text
from medrl.sections import EndpointConfig
from medrl.seeds import derive_seed


class AnswerLog:
    """What was answered before, by a key that covers the question as it was put."""

    def __init__(self, path: Path) -> None:
        """Go on with `path`. Raises DataError if it is damaged."""
        self._path = path
        lines = whole_lines(path)
        self._known = dict(_read(path, number, line) for number, line in enumerate(lines, start=1))
        write_text(path, "".join(f"{line}\n" for line in lines))

    def get(self, key: str) -> str | None:
        return self._known.get(key)

    def add(self, key: str, answer: str) -> None:
        """Keep an answer; it is on the disk when this returns."""
        self._known[key] = answer
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "answer": answer}, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _read(path: Path, number: int, line: str) -> tuple[str, str]:
    try:
        record = json.loads(line)
        return str(record["key"]), str(record["answer"])
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}:{number}: no kept answer; delete the line") from error


def inquire(stage: str, config: EndpointConfig, items: Sequence[Item[str]], folder: Path) -> Outcome[str]:
    """Ask about those of `items` that were not answered before.

    Raises ConfigError if no request ever would be answered, InfrastructureError when the endpoint is down; what was
    answered until then is kept.
    """
    log = AnswerLog(folder / "asked" / f"{stage}.jsonl")
    keys = {item.id: key_of(config, item) for item in items}
    left = [item for item in items if log.get(keys[item.id]) is None]

    async def ask() -> Outcome[str]:
        async with Endpoint(config, seed=derive_seed(stage)) as endpoint:
            return await endpoint.ask_all(left, keep=lambda each, said: log.add(keys[each], said), progress=stage)

    outcome = asyncio.run(ask()) if left else Outcome({}, {})
    if outcome.set_aside:
        with SetAsideLog(folder / "set_aside.jsonl") as aside:
            for identifier, error in outcome.set_aside.items():
                aside.add(stage, identifier, error.reasons)
    answers = {item.id: log.get(keys[item.id]) for item in items}
    return Outcome({each: said for each, said in answers.items() if said is not None}, outcome.set_aside)


def key_of(config: EndpointConfig, item: Item[str]) -> str:
    """A hash of the item and of all that its answer depends on; the address is not part of it."""
    said = [[message.role, message.content] for message in item.messages]
    text = json.dumps([item.id, config.model, config.temperature, said], ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
