"""The judge's verdicts on answers that no rule calls correct. What it once said is kept, so it is asked once."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from envs.benchmarks.item import Item
from envs.benchmarks.judge import score_with_judge
from envs.benchmarks.scored import Scored
from envs.network.endpoint import Endpoint
from envs.network.outcomes import SetAside
from kisa.inquiry import AnswerLog
from medrl.matching import Verdict
from medrl.progress import Progress
from medrl.sections.endpoint import JudgeConfig
from medrl.seeds import derive_seed
from medrl.types import Message

T = TypeVar("T")


class RememberingEndpoint(Endpoint):
    """An endpoint whose replies are kept in a log, by what was asked."""

    def __init__(self, config: JudgeConfig, log: AnswerLog) -> None:
        super().__init__(config, seed=derive_seed("benchmark judge"))
        self._log = log

    async def ask(self, messages: Sequence[Message], *, parse: Callable[[str], T | None]) -> T:
        """As an endpoint does; a reply that is known is not asked for again."""
        said = json.dumps([[message.role, message.content] for message in messages], ensure_ascii=False)
        key = hashlib.blake2b(said.encode(), digest_size=12).hexdigest()
        known = self._log.get(key)
        answer = parse(known) if known is not None else None
        if answer is not None:
            return answer

        def keep(reply: str) -> T | None:
            read = parse(reply)
            if read is not None:
                self._log.add(key, reply)
            return read

        return await super().ask(messages, parse=keep)


def judged(config: JudgeConfig, folder: Path, lines: Sequence[tuple[Item, Scored]]) -> tuple[list[Scored], list[str]]:
    """The lines in order, those that no rule calls correct with the judge's verdict; those that it could not be asked
    about are left out, and why. `folder`: where its replies are kept. Raises ConfigError if it never would answer."""
    left = [(item, line) for item, line in lines if line.verdict is not Verdict.CORRECT and line.prediction is not None]
    name = hashlib.blake2b(f"{config.model} {config.temperature}".encode(), digest_size=4).hexdigest()
    with closing(AnswerLog(folder, f"judge-{name}", f"{config.model} {config.temperature}")) as log:
        found = asyncio.run(_ask(config, log, left)) if left else {}
    failed = [str(each) for each in found.values() if isinstance(each, SetAside)]
    kept = (found.get(id(line), line) for _, line in lines)
    return [line for line in kept if isinstance(line, Scored)], failed


async def _ask(
    config: JudgeConfig, log: AnswerLog, lines: Sequence[tuple[Item, Scored]]
) -> Mapping[int, Scored | SetAside]:
    found: dict[int, Scored | SetAside] = {}
    places = asyncio.Semaphore(config.concurrency)
    with Progress("judge", len(lines), "answer") as progress:

        async def one(item: Item, line: Scored, endpoint: Endpoint) -> None:
            async with places:
                try:
                    verdict = await score_with_judge(item, line.prediction, endpoint)
                except SetAside as error:
                    found[id(line)] = error
                else:
                    found[id(line)] = replace(line, verdict=verdict.verdict, rule=verdict.rule, judged=verdict.judged)
            progress.advance()

        async with RememberingEndpoint(config, log) as endpoint:
            await asyncio.gather(*(one(item, line, endpoint) for item, line in lines))
    return found
