"""Malformed turns and calls against all four tools, by way of the environment: each is told, none crashes anything.

A seeded generator writes them, so a failure can be looked at again. What is wrong with a call is known when it is made,
and the status that it must end in as well.
"""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from envs.corpus import Document
from envs.library import Library
from envs.react import ReactEnv, run_episode
from envs.reading.pages import Pages
from envs.toolbox import open_toolbox
from envs.tools.base import Tool
from envs.tools.document_read import DocumentRead
from medrl.chat import TAGS, ChatCodec, render_answer
from medrl.sections.episodes import EnvConfig
from medrl.sections.knowledge import KnowledgeConfig
from medrl.types import Ending, Sampling
from tests.envs.hostile_addresses import ADDRESSES
from tests.fakes import ScriptedGenerate, question
from tests.tiny import tiny_tokenizer
from tests.web import QUICK, SmallWeb

LIMITS = EnvConfig(max_turns=4, max_turn_tokens=20_000, observation_tokens=200)
NAMES = ("medical_retriever", "clinical_reasoning", "document_read", "web_search")
GOOD: dict[str, dict[str, Any]] = {
    "medical_retriever": {"query": "FBN1"},
    "clinical_reasoning": {"findings": ["Pigeon chest"]},
    "document_read": {"document": "FBN1", "goal": "diseases"},
    "web_search": {"query": "pigeon chest"},
}
#: No string with something in it, and no list of such strings.
WRONG: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 1e308, 10**30, "", " ", "\t\n", "\u00a0 ", [], {}, [[]], [{}], [None], [1]),
    *([""], [" "], ["a", 2], ["a", ["b"]], {"a": "b"}, {"$ref": "#"}, {"query": {"query": "x"}}, [[["x"]]]),
    *("x" * 501, "x" * 15_000, ["x" * 501], ["x"] * 3_000),
]


def _call(name: Any, arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments}, ensure_ascii=False)}</tool_call>"


def _bad_arguments(rng: random.Random) -> str:
    """One argument wrong, missing, misspelt or too many; or another tool's."""
    name = rng.choice(NAMES)
    arguments = dict(GOOD[name])
    key = rng.choice(list(arguments))
    match rng.randrange(5):
        case 0:
            del arguments[key]
        case 1:
            arguments[rng.choice(("k", "Query", "query ", "", "__class__", "goal\0", "findings[]", "🩺"))] = "x"
        case 2:
            arguments[key.upper()] = arguments.pop(key)
        case 3:
            arguments = dict(GOOD[rng.choice([each for each in NAMES if set(GOOD[each]) != set(arguments)])])
        case _:
            arguments[key] = rng.choice(WRONG)
            if name == "clinical_reasoning" and isinstance(arguments[key], str):
                arguments[key] = [arguments[key]]
    return _call(name, arguments)


def _bad_tool(rng: random.Random) -> str:
    names = [
        "",
        " ",
        "medical retriever",
        "web_search ",
        "Web_Search",
        "__init__",
        "a" * 10_000,
        "../x",
        "ﬁnd",
        "web_search\0",
    ]
    return _call(rng.choice(names), GOOD[rng.choice(NAMES)])


def _no_such_document(rng: random.Random) -> str:
    addresses = [each for each in ADDRESSES if "\ud800" not in each]  # that one is no JSON either
    asked = rng.choice(
        [*addresses, "../../etc/passwd", "PMID:0", "file:/etc/passwd", "%00", "' OR 1=1 --", "\U0010ffff"]
    )
    return _call("document_read", {"document": asked, "goal": "x"})


def _no_words(rng: random.Random) -> str:
    query = rng.choice(["?", "…", "🩺🩺", "!!! ---", "\u202e.", "()[]{}", "؟", "\u200bx\u200b"[:1] + "-"])
    return _call(rng.choice(("medical_retriever", "web_search")), {"query": query})


def _bad_json(rng: random.Random) -> str:
    """A good call with some of its letters lost, doubled or exchanged, until it is JSON no longer."""
    text = _call(name := rng.choice(NAMES), GOOD[name])[len("<tool_call>") : -len("</tool_call>")]
    while True:
        place = rng.randrange(len(text))
        text = (
            text[:place] + rng.choice(["", text[place] * 2, rng.choice("{}[]\",:'\\\0\n\u2028e")]) + text[place + 1 :]
        )
        try:
            json.loads(text)
        except ValueError:
            return f"<tool_call>{text}</tool_call>"


def _bad_shape(rng: random.Random) -> str:
    name = rng.choice(NAMES)
    whole = rng.choice([None, True, 1, "x", [], [GOOD[name]], {}, {"name": name}, {"arguments": {}}, {"name": 1}])
    if isinstance(whole, dict) and rng.random() < 0.6:
        whole = {"name": name, "arguments": rng.choice([None, [], "x", 1, json.dumps(GOOD[name]), [["query", "x"]]])}
    return f"<tool_call>{json.dumps(whole)}</tool_call>"


def _bad_tags(rng: random.Random) -> str:
    good = _call(name := rng.choice(NAMES), GOOD[name])
    return rng.choice(
        [
            good.removesuffix("</tool_call>"),
            good * 2,
            good + render_answer("t", "x"),
            f"<answer>{name}",
            f"<tool_call>{good}</tool_call>",
            f"<tool_call>{'[' * 9_000}</tool_call>",
            f"<tool_call>{'9' * 9_000}</tool_call>",
            '<tool_call>{"name": "web_search", "arguments": {"query": "\\ud83d"}}</tool_call>',
            "<tool_call></tool_call>",
            "<tool_call>\0</tool_call>",
            "<tool_call><|im_end|></tool_call>",
            "<answer>a</answer><answer>b</answer>",
        ]
    )


#: What is wrong -> the status of the step.
KINDS: list[tuple[Callable[[random.Random], str], str]] = [
    (_bad_arguments, "mistake"),
    (_bad_tool, "mistake"),
    (_no_such_document, "mistake"),
    (_no_words, "mistake"),
    (_bad_json, "malformed"),
    (_bad_shape, "malformed"),
    (_bad_tags, "malformed"),
]


def _malformed(count: int) -> Iterator[tuple[str, str]]:
    """Different ones, of each kind in turn; of the first, which has most to get wrong, twice as many."""
    rng, seen, number = random.Random(0), set[str](), 0
    while len(seen) < count:
        make, status = [*KINDS, KINDS[0]][number % (len(KINDS) + 1)]
        turn, number = make(rng), number + 1
        if turn not in seen:
            seen.add(turn)
            yield turn, status


MALFORMED = list(_malformed(360))


@pytest.fixture(scope="module")
def codec() -> ChatCodec:
    return ChatCodec(tiny_tokenizer())


@pytest.fixture(scope="module")
def web() -> SmallWeb:
    """No server: a connection would be an outage."""
    return SmallWeb(1, up=False)


class _Nobody:
    """A source without documents that says what it was asked."""

    name = "nobody"

    async def candidates(self, query: str, vector: Any, k: int) -> list[Any]:
        return []

    async def document(self, id: str) -> Document | None:
        return None


@pytest.fixture(scope="module")
def tools(knowledge: Path, cache: Path, index: Any, encoder: Any, web: SmallWeb) -> dict[str, Tool]:
    """The four, and document_read with all that it can have."""
    opened = open_toolbox(knowledge, KnowledgeConfig(cache=str(cache), read_web=True))
    pages = Pages(QUICK, reach=web.reach)
    library = Library(index, [_Nobody()])
    return opened | {"document_read": DocumentRead(index, encoder, 150, library=library, pages=pages)}


@pytest.mark.contract("7 four kinds of failure", "malformed calls: each is told to the policy, none is an outage")
@pytest.mark.parametrize(("turn", "status"), [pytest.param(*each, id=str(n)) for n, each in enumerate(MALFORMED)])
def test_a_malformed_turn_is_told(
    codec: ChatCodec, tools: dict[str, Tool], web: SmallWeb, turn: str, status: str
) -> None:
    """The episode goes on: the next turn answers. Nothing was asked for on the network."""
    env = ReactEnv(question(), tools, codec, LIMITS, 100_000)
    opening = codec.tokenizer.decode(env.token_ids)
    generate = ScriptedGenerate(codec, [turn, render_answer("t", "FBN1")])
    rollout = asyncio.run(run_episode(env, generate, Sampling(1.0, 20_000, seed=1), "r"))
    assert rollout.ending is Ending.ANSWERED and rollout.answer == "FBN1"
    step = rollout.steps[0]
    assert (step.status, step.sources) == (status, ()), step.observation
    assert step.observation and not any(tag in step.observation for tag in TAGS)
    observed = [token for token, mask in zip(rollout.token_ids, rollout.action_mask, strict=True) if not mask]
    shown = codec.tokenizer.decode(observed)
    assert shown.count("<tool_response>") == opening.count("<tool_response>") + 1
    assert shown.count("<|im_start|>") == opening.count("<|im_start|>") + 2
    assert not web.asked and not web.resolved


@pytest.mark.parametrize("name", NAMES)
def test_the_good_calls_that_they_are_made_of_are_good(codec: ChatCodec, tools: dict[str, Tool], name: str) -> None:
    env = ReactEnv(question(), tools, codec, LIMITS, 100_000)
    generate = ScriptedGenerate(codec, [_call(name, GOOD[name]), render_answer("t", "FBN1")])
    rollout = asyncio.run(run_episode(env, generate, Sampling(1.0, 20_000, seed=1), "r"))
    assert rollout.steps[0].status == "ok" and rollout.steps[0].sources
