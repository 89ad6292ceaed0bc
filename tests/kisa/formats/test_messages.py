"""What is exported reads back equal, whatever was said and however it was cut; other files become episodes of ours."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from envs.react import ReactEnv
from kisa.formats.messages import messages_line, read_messages
from kisa.graph import KnowledgeGraph
from medrl.chat import TAGS, ChatCodec, render_answer, render_call, system_prompt
from medrl.errors import DataError
from medrl.records import write_jsonl
from medrl.sections.episodes import EnvConfig
from medrl.types import Ending, Rollout, ToolCall
from tests import fakes
from tests.kisa.formats.samples import episode, every_kind, plain
from tests.kisa.library import open_library
from tests.tiny import CHATML, tiny_tokenizer

GOLDEN = (
    '{"question":"Mutations in which gene cause the only disease known to show Blue sclera?","answer":"AAA1",'
    '"prediction":"AAA1","messages":[{"role":"system","content":"S"},{"role":"user","content":"Mutations in which '
    'gene cause the only disease known to show Blue sclera?"},{"role":"assistant","content":"<think>Need: disease, '
    'gene.</think>\\n\\n<tool_call>{\\"name\\": \\"medical_retriever\\", \\"arguments\\": {\\"query\\": \\"Blue '
    'sclera seen in\\"}}</tool_call>"},{"role":"user","content":"<tool_response>\\n[1] Blue sclera (finding): Seen '
    'in: Alpha disease.\\n</tool_response>"},{"role":"assistant","content":"<think>Need: '
    'gene.</think>\\n\\n<tool_call>{\\"name\\": \\"document_read\\", \\"arguments\\": {\\"document\\": \\"Alpha '
    'disease\\", \\"goal\\": \\"gene\\"}}</tool_call>"},{"role":"user","content":"<tool_response>\\nAlpha disease '
    "(OMIM:1): Gene: AAA1. Inheritance: Autosomal dominant. Onset: Congenital onset. Limb findings: Long fingers. "
    "Growth findings: Tall stature. Ocular findings: Blue sclera. Frequent findings (30-79%): Long fingers; Blue "
    'sclera. Also known as: Disease, alpha; alpha Disease; ORPHA:9.\\n</tool_response>"},{"role":"assistant",'
    '"content":"<think>AAA1 is the gene of Alpha disease.</think>\\n<answer>AAA1</answer>"}],'
    '"termination":"answer","step_count":5,"rollout":1,"qaid":"q69c7e354","medrl":{"ending":"answered","origin":"guided",'
    '"steps":[{"status":"ok","sources":["HP:1000001"]},{"status":"ok","sources":["OMIM:1"]},{"status":"answer",'
    '"sources":[]}]}}\n'
)


def merging_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes with some merges, so that a text that is cut inside a word is tokenized otherwise."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["Marfan syndrome, Marfan, marfanoid: fan and man; éé 😀😀"] * 5, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", bos_token="<|im_start|>")
    fast.chat_template = CHATML
    return fast


CODECS = [ChatCodec(tiny_tokenizer()), ChatCodec(merging_tokenizer())]
QUESTION = fakes.question()


@pytest.fixture
def codec() -> ChatCodec:
    return CODECS[0]


def play(codec: ChatCodec, turns: Sequence[str], observation: str, limits: EnvConfig) -> Rollout:
    """An episode of a demonstrator that says `turns`, then answers, with a tool that gives `observation`."""
    tools = {"medical_retriever": fakes.FakeTool({"q": observation})}
    env = ReactEnv(QUESTION, tools, codec, limits, max_length=20_000, sample=2)
    for turn in (*turns, render_answer("", "x")):
        if env.ending is None:
            asyncio.run(env.act(codec.encode_action(turn)))
    rollout = env.rollout()
    rollout.steps = [replace(step, latency_s=0.0) for step in rollout.steps]
    rollout.duration_s = rollout.tools_s = 0.0
    return rollout


SYSTEM = system_prompt([fakes.FakeTool({})])


def through_file(codec: ChatCodec, lines: Sequence[dict[str, Any]], **limits: int) -> list[Rollout]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "messages.jsonl"
        write_jsonl(path, lines)
        return list(read_messages(path, codec, **({"observation_tokens": 5, "max_length": 20_000} | limits)))


def test_golden_line(graph: KnowledgeGraph, codec: ChatCodec, tmp_path: Path) -> None:
    question = plain(graph, 2)
    prompt = system_prompt(list(open_library(graph).values()))
    line = messages_line(question, episode(graph, question, codec), codec, prompt)
    assert line["messages"][0] == {"role": "system", "content": prompt}
    line["messages"][0]["content"] = "S"
    write_jsonl(tmp_path / "messages.jsonl", [line])
    assert (tmp_path / "messages.jsonl").read_text(encoding="utf-8") == GOLDEN


@pytest.mark.parametrize("codec", CODECS)
def test_the_teacher_s_episodes_come_back_equal(graph: KnowledgeGraph, codec: ChatCodec) -> None:
    prompt = system_prompt(list(open_library(graph).values()))
    questions = every_kind(graph)
    rollouts = [episode(graph, question, codec) for question in questions]
    lines = [messages_line(*pair, codec, prompt) for pair in zip(questions, rollouts, strict=True)]
    assert through_file(codec, lines) == rollouts
    assert all(rollout.ending is Ending.ANSWERED for rollout in rollouts)


FRAGMENTS = st.sampled_from(
    [
        *TAGS,
        "</think>\n\n<tool_call>",
        "</think><answer>",
        "</think>\n<answer>",
        "\n\n",
        "\n",
        "{}",
        '"',
        "\\",
        "Marfan",
        "…",
    ]
)
TEXTS = st.lists(FRAGMENTS | st.text(max_size=4), max_size=6).map("".join)
THOUGHTS = TEXTS.map(lambda thought: render_call(thought, ToolCall("medical_retriever", {"query": "q"})))
WRONG = TEXTS.map(lambda thought: render_call(thought, ToolCall("medical_retriever", {"query": thought})))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(CODECS),
    st.lists(THOUGHTS | WRONG | TEXTS, max_size=4),
    TEXTS,
    st.integers(1, 40),
    st.integers(1, 6),
)
def test_any_episode_comes_back_equal(
    codec: ChatCodec, turns: list[str], observation: str, observation_tokens: int, max_turns: int
) -> None:
    limits = EnvConfig(observation_tokens=observation_tokens, max_turns=max_turns)
    rollout = play(codec, turns, observation, limits)
    (back,) = through_file(codec, [messages_line(QUESTION, rollout, codec, SYSTEM)])
    assert back == rollout


def test_what_the_fitted_choice_gave_a_call_comes_back(codec: ChatCodec) -> None:
    call = render_call("", ToolCall("medical_retriever", {"query": "q"}))
    rollout = play(codec, [call, call], "text", EnvConfig())
    rollout.steps[0] = replace(rollout.steps[0], choice=0.0)
    line = messages_line(QUESTION, rollout, codec, SYSTEM)
    assert through_file(codec, [line]) == [rollout]
    line["medrl"]["steps"][0]["choice"] = 1.5
    with pytest.raises(DataError, match="choice"):
        through_file(codec, [line])


def test_ids_are_kept_only_where_text_does_not_give_them(codec: ChatCodec) -> None:
    call = render_call("", ToolCall("medical_retriever", {"query": "q"}))
    shown, kept = [], []
    for observation in ("word", "words", "foré"):
        rollout = play(codec, [call], observation, EnvConfig(observation_tokens=4))
        note = messages_line(QUESTION, rollout, codec, SYSTEM)["medrl"]["steps"][0]
        shown.append(rollout.steps[0].observation)
        kept.append("response_ids" in note)
    assert shown == ["word", "word …", "for\ufffd …"]
    assert kept == [False, False, True]  # half of a letter cannot be had from text


def test_what_others_wrote_becomes_an_episode_of_ours(codec: ChatCodec) -> None:
    """Calls made at once, a long response, a lost form, no system prompt, an id that is a number."""
    call = '<tool_call>{"name": "search", "arguments": {"query": ["a"]}}</tool_call>'
    line = {
        "messages": [
            {"role": "user", "content": "Find it. User: which?"},
            {"role": "assistant", "content": f"<think>both</think>\n\n{call}"},
            {"role": "assistant", "content": "<think>both</think>\n\n<tool_call>{'name'}</tool_call>"},
            {"role": "user", "content": "<tool_response>\n0123456789\n</tool_response>"},
            {"role": "user", "content": "<tool_response>\n<answer>no</answer>\n</tool_response>"},
            {"role": "assistant", "content": "<think>\nso\n</think>\n<answer> it </answer>"},
        ],
        "termination": "answer",
        "qaid": 17,
        "rollout": 3,
        "trajectory_id": "beyond what we read",
    }
    (rollout,) = through_file(codec, [line], observation_tokens=6)
    assert (rollout.question_id, rollout.sample, rollout.ending, rollout.answer) == ("17", 2, Ending.ANSWERED, "it")
    assert [step.status for step in rollout.steps] == ["ok", "malformed", "answer"]
    assert [step.call for step in rollout.steps] == [ToolCall("search", {"query": ["a"]}), None, None]
    assert [step.observation for step in rollout.steps] == ["012345 …", "(answe …", ""]
    assert rollout.steps[1].text == "<think>both</think><tool_call>{'name'}</tool_call>"
    assert codec.tokenizer.decode(rollout.token_ids) == (
        "<|im_start|>user\nFind it. User: which?<|im_end|>\n"
        f"<|im_start|>assistant\n<think>both</think>{call}<|im_end|>\n"
        "<|im_start|>user\n<tool_response>012345 …</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n<think>both</think><tool_call>{'name'}</tool_call><|im_end|>\n"
        "<|im_start|>user\n<tool_response>(answe …</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n<think>\nso\n</think><answer> it </answer><|im_end|>"
    )
    said = [token for token, is_action in zip(rollout.token_ids, rollout.action_mask, strict=True) if is_action]
    assert codec.tokenizer.decode(said) == "".join(f"{step.text}<|im_end|>" for step in rollout.steps)


@pytest.mark.parametrize(
    ("termination", "last", "ending"),
    [
        ("max_iterations_exceeded", "<think>x</think>", Ending.TURN_LIMIT),
        ("max_tokens_exceeded", "<think>x</think>", Ending.TOKEN_LIMIT),
        ("tool_loop_detected", "<think>x</think>", Ending.MISTAKE_LIMIT),
        ("no_tool_calls", "<think>x</think>", Ending.NO_TOOL_CALL),
        ("Abnormal completed", "<think>x</think>", Ending.NO_TOOL_CALL),
        ("answer", "<answer>a</answer><answer>b</answer>", Ending.NO_TOOL_CALL),
        ("no_tool_calls", "<answer>at once</answer>", Ending.ANSWERED),
    ],
)
def test_endings_of_others(codec: ChatCodec, termination: str, last: str, ending: Ending) -> None:
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": last}]
    (rollout,) = through_file(codec, [{"messages": messages, "termination": termination, "qaid": "q"}])
    assert rollout.ending is ending and (rollout.answer is not None) == (ending is Ending.ANSWERED)


def test_a_response_that_nothing_follows_is_seen_and_not_learnt_from(codec: ChatCodec) -> None:
    call = render_call("", ToolCall("medical_retriever", {"query": "q"}))
    rollout = play(codec, [call, call], "seen", EnvConfig(max_turns=2))
    assert rollout.ending is Ending.TURN_LIMIT and rollout.action_mask[-1]
    line = messages_line(QUESTION, rollout, codec, SYSTEM)
    assert (line["termination"], line["prediction"], line["step_count"]) == ("max_iterations_exceeded", "No answer", 4)
    assert through_file(codec, [line]) == [rollout]


def _line(change: Callable[[dict[str, Any]], None]) -> bytes:
    line = json.loads(GOLDEN)
    change(line)
    return json.dumps(line).encode()


def _say(number: int, content: str, role: str = "assistant") -> Callable[[dict[str, Any]], None]:
    return lambda line: line["messages"].__setitem__(number, {"role": role, "content": content})


def _foreign(line: dict[str, Any], **changes: str) -> None:
    del line["medrl"], line["messages"][-1]
    line.update(changes)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "Invalid JSON"),
        (_line(lambda line: line.pop("qaid")), "qaid: Field required"),
        (_line(lambda line: line.update(rollout=0)), "rollout: "),
        (_line(lambda line: line["messages"][1].pop("content")), "messages.1.content: Field required"),
        (_line(_say(3, "x", "tool")), "messages.3.role: "),
        (_line(_say(3, "x", "system")), "the system speaks after the question"),
        (_line(_say(3, "x", "user")), "no <tool_response>"),
        (_line(_say(3, "<think>x</think>")), "3 turns of the agent are followed by 1 responses"),
        (_line(_say(2, "<answer>x</answer>")), "the agent answers in turn 1 and goes on"),
        (_line(_say(2, "a<|im_end|>\n<|im_start|>user")), "control token '<|im_start|>'"),
        (_line(_say(1, "a<|im_end|>", "user")), "control token '<|im_end|>'"),
        (_line(lambda line: line.update(messages=[])), "messages: begin with"),
        (_line(lambda line: line.update(messages=line["messages"][:2])), "the agent says nothing"),
        (_line(lambda line: line["messages"].pop(1)), "messages: begin with"),
        (_line(lambda line: line["medrl"]["steps"].pop()), "medrl.steps: 2 for 3 turns"),
        (_line(_say(6, "<think>x</think>")), "medrl.ending: answered, and the last turn holds no answer"),
        (_line(lambda line: _foreign(line, termination="error: timeout")), "termination: 'error: timeout' is none of"),
        (_line(lambda line: _foreign(line, termination="a") or _say(4, "<answer>x</answer>")(line)), "a tool responds"),
    ],
)
def test_a_malformed_line_is_named(codec: ChatCodec, tmp_path: Path, line: bytes, says: str) -> None:
    path = tmp_path / "messages.jsonl"
    path.write_bytes(GOLDEN.encode() + line + b"\n")
    with pytest.raises(DataError) as raised:
        list(read_messages(path, codec, 800, 8000))
    assert str(raised.value).startswith(f"{path}:2: ") and says in str(raised.value)


def test_an_episode_that_is_too_long_is_refused(codec: ChatCodec) -> None:
    with pytest.raises(DataError, match=r":1: \d+ tokens, over model.max_length=100: raise it"):
        through_file(codec, [json.loads(GOLDEN)], max_length=100)


def test_ids_of_a_line_are_not_believed(codec: ChatCodec) -> None:
    """They count only where they spell what the text does: else a file could put the end of a turn into a response."""
    (honest,) = through_file(codec, [json.loads(GOLDEN)])
    frame = codec.response("[1] Blue sclera (finding): Seen in: Alpha disease.", 1000)[0]
    for forged in ([*codec.response("x", 9)[0]], [*frame, len(codec.tokenizer)], [codec.end_ids[0], *frame], []):
        line = json.loads(GOLDEN)
        line["medrl"]["steps"][0]["response_ids"] = forged
        assert through_file(codec, [line]) == [honest]


@pytest.mark.parametrize(
    ("change", "prompt", "says"),
    [
        ({}, "another prompt", "begins otherwise than this model and these tools let it"),
        ({"steps": []}, None, "0 steps, and tokens of 2 turns"),
        ({"token_ids": [], "action_mask": []}, None, "begins otherwise"),
    ],
)
def test_what_text_would_not_bring_back_is_not_exported(
    codec: ChatCodec, change: dict[str, Any], prompt: str | None, says: str
) -> None:
    rollout = replace(play(codec, ["<answer>"], "", EnvConfig()), **change)
    with pytest.raises(DataError, match=says):
        messages_line(QUESTION, rollout, codec, prompt or SYSTEM)


def test_tokens_that_only_a_policy_would_sample_are_not_exported() -> None:
    codec = CODECS[1]
    rollout = play(codec, [], "", EnvConfig())
    spelled = [token for letter in rollout.steps[0].text for token in codec.tokenizer.encode(letter)]
    start = rollout.action_mask.index(True)
    rollout.token_ids[start:] = [*spelled, codec.end_ids[0]]
    rollout.action_mask[start:] = [True] * (len(spelled) + 1)
    assert codec.decode_action(rollout.token_ids[start:]) == rollout.steps[0].text
    with pytest.raises(DataError, match="sampled by a policy"):
        messages_line(QUESTION, rollout, codec, SYSTEM)


def test_the_exported_question_is_the_episode_s(codec: ChatCodec) -> None:
    with pytest.raises(DataError, match="begins otherwise"):
        messages_line(fakes.question(text="Another?"), play(codec, [], "", EnvConfig()), codec, SYSTEM)
