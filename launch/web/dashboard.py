"""The dashboard of one run: its page, and what the page asks for. Reads the run directory and nothing else.

/api/run      what does not change while one looks: name, settings, what each metric means
/api/live     what does: new lines of metrics, where the run stands, its actors, how far the episodes are indexed
/api/parts    figures of each part's episodes      /api/groups   groups that fit a filter
/api/group    a group's episodes                   /api/tokens   an episode token by token
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from launch.web.episodes import Entry, EpisodeIndex, Moved, is_step, latest_first
from launch.web.groups import Result, Wanted, choices, list_groups, members, result_of
from launch.web.metrics_tail import MetricsTail
from launch.web.part_figures import part_figures
from launch.web.questions import Questions
from launch.web.run_state import RunState, is_held, standing
from launch.web.server import page
from launch.web.tokens import TokenTexts, advantages, read_learnt, token_view
from medrl.errors import ConfigError, DataError
from medrl.metrics import GLOSSARY
from medrl.sections.learning import GRPOConfig
from medrl.types import Question, Rollout

GROUPS_A_PAGE = 50
_QUESTION, _ROLLOUT = TypeAdapter(Question), TypeAdapter(Rollout)
_TOKEN_LISTS = {"token_ids", "action_mask", "logprobs", "versions"}
Number = TypeVar("Number", int, float)


def routes(run: Path) -> list[Route]:
    """The page of the run in `run`, at /, and its data."""
    dashboard = Dashboard(run)
    return [
        Route("/", lambda request: page("dashboard")),
        Route("/api/run", dashboard.about),
        Route("/api/live", dashboard.live),
        Route("/api/parts", dashboard.parts),
        Route("/api/groups", dashboard.groups),
        Route("/api/group", dashboard.group),
        Route("/api/tokens", dashboard.tokens),
    ]


class Dashboard:
    """One method an address. Starlette calls them in threads, since they read files."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._state = RunState(run)
        self._metrics = MetricsTail(run)
        self._index = EpisodeIndex(run)
        self._questions = Questions(run)
        self._texts = TokenTexts(run)
        self._index.refresh()

    def about(self, request: Request) -> Response:
        config = self._state.config()
        settings = None
        if config is not None:
            settings = {
                "weights": {term: getattr(config.reward, term) for term in ("task", "expert", "efficiency")},
                # Clipping bounds the ratio to the sampler only if that is the ratio of the loss.
                "clip": [1.0 - config.grpo.clip_low, 1.0 + config.grpo.clip_high]
                if config.grpo.ratio == "coupled"
                else None,
            }
        path = str(self._run.resolve())
        return JSONResponse(
            {"name": self._run.resolve().name, "path": path, "settings": settings, "glossary": GLOSSARY}
        )

    def live(self, request: Request) -> Response:
        self._index.refresh()
        now = time.time()
        metrics = self._metrics.since(_number(request, "generation", int) or 0, _number(request, "since", int) or 0)
        stages = self._state.stages()
        read, there = self._index.progress()
        config = self._state.config()
        summary, health, working = self._state.summary(), self._state.health(now), is_held(self._run)
        told = working and health is not None and not health["stale"] and not health.get("ended")
        at_work = (health.get("stage") or None) if told and health is not None else None
        problems = [
            *self._state.problems(),
            *self._metrics.problems,
            *self._questions.problems,
            *self._index.problems(),
        ]
        return JSONResponse(
            {
                "metrics": metrics,
                "now": now,
                "working": working,
                "standing": standing(self._metrics.lines, stages, config, at_work, now),
                "stages": {name: stage.get("wall_s") for name, stage in stages.items()},
                "summary": summary,
                "health": health,
                "indexed": {
                    "read": read,
                    "there": there,
                    "episodes": sum(len(part.entries) for part in self._index.parts()),
                },
                "parts": sorted((part.name for part in self._index.parts()), key=latest_first),
                "problems": [asdict(problem) for problem in problems[:50]],
                "num_problems": len(problems),
            }
        )

    def parts(self, request: Request) -> Response:
        named = {part.name: part_figures(list(part.entries)) for part in self._index.parts()}
        return JSONResponse({"parts": named, "all": part_figures(self._index.entries())})

    def groups(self, request: Request) -> Response:
        query = request.query_params
        wanted = Wanted(
            part=query.get("part") or None,
            result=_result(query.get("result", "")),
            ending=query.get("ending") or None,
            tool=query.get("tool") or None,
            hops=_number(request, "hops", int),
            specialty=query.get("specialty") or None,
            min_reward=_number(request, "min_reward", float),
            max_reward=_number(request, "max_reward", float),
            min_calls=_number(request, "min_calls", int),
            text=query.get("q", ""),
        )
        start = _number(request, "start", int) or 0
        listing = list_groups(self._index, self._questions, wanted, max(0, start), GROUPS_A_PAGE)
        return JSONResponse(asdict(listing) | {"choices": choices(self._index, self._questions)})

    def group(self, request: Request) -> Response:
        entries = self._members(request)
        settings = self._grpo()
        question = self._questions.get(entries[0].question_id)
        mixed_alone = settings.learn_from == "mixed" and not settings.kl  # a KL term bears on every episode
        return JSONResponse(
            {
                "part": entries[0].part,
                "question_id": entries[0].question_id,
                "question": None if question is None else _QUESTION.dump_python(question, mode="json"),
                "left_out": mixed_alone and result_of(entries) is not Result.MIXED,
                "episodes": [
                    _ROLLOUT.dump_python(self._episode(entry), mode="json", exclude=_TOKEN_LISTS)
                    | {"tokens": entry.tokens, "action_tokens": entry.action_tokens, "correct": entry.correct}
                    | {"calls": len(entry.calls), "advantage": advantage}
                    for entry, advantage in zip(entries, _advantages(entries, settings), strict=True)
                ],
            }
        )

    def tokens(self, request: Request) -> Response:
        entries = self._members(request)
        sample = _number(request, "sample", int)
        chosen = next((place for place, entry in enumerate(entries) if entry.sample == sample), None)
        if chosen is None:
            raise HTTPException(404, f"no sample {sample} of this question in {entries[0].part}")
        rollout = self._episode(entries[chosen])
        notes, learnt, texts = [], None, None
        try:
            path = self._run / "trajectories" / f"{entries[0].part}.tokens.jsonl"
            learnt = read_learnt(path, rollout.question_id, rollout.sample)
            view = token_view(rollout, learnt)
        except DataError as error:
            notes.append(f"the learner's log-probs cannot be used: {error}")
            learnt, view = None, token_view(rollout, None)
        try:
            texts = self._texts.of(rollout.token_ids, self._state.config())
        except ConfigError as error:
            notes.append(f"tokens are shown by number, since the tokenizer cannot be had: {error}")
        advantage = _advantages(entries, self._grpo())[chosen] if learnt is None else learnt.advantage
        return JSONResponse(
            view
            | {
                "ids": rollout.token_ids,
                "texts": texts,
                "advantage": advantage,
                "recorded": learnt is not None,
                "notes": notes,
            }
        )

    def _members(self, request: Request) -> list[Entry]:
        part, question_id = request.query_params.get("part", ""), request.query_params.get("question", "")
        entries = list(members(self._index, part, question_id))
        if not entries:
            raise HTTPException(404, self._missing(part, question_id))
        return entries

    def _missing(self, part: str, question_id: str) -> str:
        read, there = self._index.progress()
        more = "" if read >= there else ". The episodes are still being read: it may come"
        if all(each.name != part for each in self._index.parts()):
            return f"This run has no part {part}{more}."
        return f"No episode in {part} is about a question {question_id}{more}."

    def _episode(self, entry: Entry) -> Rollout:
        try:
            return self._index.episode(entry)
        except Moved as error:
            raise HTTPException(409, f"{error} while it was read: ask again") from error

    def _grpo(self) -> GRPOConfig:
        config = self._state.config()
        return config.grpo if config is not None else GRPOConfig()


def _number(request: Request, name: str, kind: Callable[[str], Number]) -> Number | None:
    """A number of the query; None if it is left out or empty."""
    text = request.query_params.get(name, "")
    try:
        return kind(text) if text else None
    except ValueError as error:
        raise HTTPException(400, f"{name}={text}: not a number") from error


def _advantages(entries: Sequence[Entry], settings: GRPOConfig) -> list[float | None]:
    """None for an evaluation's: nothing is learnt from it."""
    if not is_step(entries[0].part):
        return [None] * len(entries)
    return advantages([entry.reward for entry in entries], settings)


def _result(text: str) -> Result | None:
    try:
        return Result(text) if text else None
    except ValueError as error:
        raise HTTPException(400, f"result={text}: give one of {', '.join(Result)}") from error
