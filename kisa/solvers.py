"""Who tries the questions to tell how hard they are. None of them has the agent's tools.

A question that a strong model answers from memory teaches an agent nothing about looking things up. (What one search
shows is left out before: `kisa.probes.one_search_answers`, the most that any reader of one search could do.)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from envs.network.outcomes import Item
from kisa.inquiry import inquire
from medrl.chat import without_thought
from medrl.progress import Progress
from medrl.sections.endpoint import EndpointConfig
from medrl.types import Message, Question

_TASK = "Answer the medical question with the name alone: a gene, a disease or a clinical finding."
_LONGEST = 300
_NEW_TOKENS = 24
_BATCH = 32


class Solver(Protocol):
    """Answers questions as well as it can."""

    name: str

    def solve(self, questions: Sequence[Question], samples: int) -> Mapping[str, list[str]]:
        """Question id -> up to `samples` answers; a question that it could not be asked is not among them.

        Raises ConfigError or InfrastructureError when it can be asked nothing.
        """


class EndpointSolver:
    """A language model, asked closed-book. What it said is kept in `folder`."""

    def __init__(self, config: EndpointConfig, folder: Path) -> None:
        self.name = config.model
        self._config = config
        self._folder = folder

    def solve(self, questions: Sequence[Question], samples: int) -> Mapping[str, list[str]]:
        """See `Solver`."""
        items = [
            Item(f"{question.id}/{sample}", [Message("system", _TASK), Message("user", question.text)], read_answer)
            for question in questions
            for sample in range(samples)
        ]
        answers = inquire(f"solver-{_file_name(self.name)}", self._config, items, self._folder).answers
        given = {
            question.id: [answers[key] for n in range(samples) if (key := f"{question.id}/{n}") in answers]
            for question in questions
        }
        return {identifier: said for identifier, said in given.items() if said}


class PolicySolver:
    """The policy that is to be trained, closed-book and greedy, so every sample is the same and one is made."""

    name = "policy"

    def __init__(self, model: Path) -> None:
        """`model`: a Hugging Face folder. Raises OSError if it holds no model."""
        self._tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True, padding_side="left")
        self._model = AutoModelForCausalLM.from_pretrained(
            model, local_files_only=True, use_safetensors=True, trust_remote_code=False
        ).eval()
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token

    def solve(self, questions: Sequence[Question], samples: int = 1) -> Mapping[str, list[str]]:
        """See `Solver`."""
        given: dict[str, list[str]] = {}
        ordered = sorted(questions, key=lambda each: len(each.text))  # little padding
        with Progress("policy, closed-book", len(ordered), "question", brief=True) as progress:
            for start in range(0, len(ordered), _BATCH):
                batch = ordered[start : start + _BATCH]
                for question, said in zip(batch, self._answer(batch), strict=True):
                    given[question.id] = [said]
                progress.advance(len(batch))
        return given

    @torch.inference_mode()
    def _answer(self, questions: Sequence[Question]) -> list[str]:
        prompts = [
            self._tokenizer.apply_chat_template(
                [{"role": "system", "content": _TASK}, {"role": "user", "content": question.text}],
                tokenize=False,
                add_generation_prompt=True,
            )
            for question in questions
        ]
        inputs = self._tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        made = self._model.generate(
            **inputs, max_new_tokens=_NEW_TOKENS, do_sample=False, pad_token_id=self._tokenizer.pad_token_id
        )
        told = self._tokenizer.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return [(text.strip().splitlines() or [""])[0] for text in told]


def read_answer(reply: str) -> str | None:
    """The first line of a short reply; None for an essay."""
    text = without_thought(reply)
    return text.splitlines()[0] if text and len(text) <= _LONGEST else None


def _file_name(model: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-._" else "-" for letter in model)
