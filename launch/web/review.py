"""The review of a run: a page where clinicians rate its episodes, and what the page asks for.

/api/review/about   the run, and the rater if the command named one
/api/review/item    an item by `id`, or the next that `rater` has not rated; how many are done
/api/review/rate    keep a verdict: one more line of the ratings' file (`medrl.ratings`)
/api/review/undo    take the rater's last one back

Raters do not see which model made an episode, nor its reward; the reference answer is folded away.
"""

import secrets
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from launch.web.episodes import Entry, EpisodeIndex, Moved
from launch.web.questions import Questions
from launch.web.review_items import Item, Kind, choose_pairs, choose_singles, item_id
from launch.web.review_view import given_view, item_view
from launch.web.server import page
from medrl.errors import DataError
from medrl.judge import Preference
from medrl.preferences import FEATURES, features
from medrl.ratings import RatedEpisode, Rating, append, check_rater, digest, read_ratings, standing
from medrl.records import fault
from medrl.types import Question, Rollout

RATINGS_FILE = "ratings.jsonl"
MOST_BYTES = 64 << 10
"""Of a verdict as it is sent."""
T = TypeVar("T")


class Refused(Exception):
    """A request that cannot be answered as it stands: what the page should say, and the status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the page sends. `shown`: digests of the episodes, as they stood; `criteria`: of each of them."""

    rater: str
    item: str
    shown: tuple[str, ...]
    score: int | None = None
    preference: Preference | None = None
    criteria: tuple[Mapping[str, bool], ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """Whose last verdict is taken back."""

    rater: str


def routes(run: Path, file: Path | None = None, *, rater: str = "", seed: int = 0) -> list[Route]:
    """The page at /review and its data. `file`: where ratings go, ratings.jsonl in the run if it is None; `rater`: who
    rates, to be asked by the page if ""; `seed` orders the items."""
    review = Review(run, file or run / RATINGS_FILE, rater, seed)
    return [
        Route("/review", lambda request: page("review")),
        Route("/api/review/about", review.about),
        Route("/api/review/item", review.item),
        Route("/api/review/rate", review.rate, methods=["POST"]),
        Route("/api/review/undo", review.undo, methods=["POST"]),
    ]


@dataclass
class Order:
    """The items to offer, by kind and in order; `of` says of which state of the index. One that was offered before the
    run had better ones is still found by its episodes."""

    of: list[tuple[str, int, int]] | None = None
    by_kind: dict[Kind, dict[str, Item]] = field(default_factory=dict)
    by_digest: dict[str, Entry] = field(default_factory=dict)

    def find(self, wanted: str) -> Item | None:
        return next((items[wanted] for items in self.by_kind.values() if wanted in items), None)

    def item_of(self, digests: Collection[str]) -> Item | None:
        """The item of these episodes; None if they are not, or no longer, in the run."""
        entries = tuple(self.by_digest[each] for each in sorted(digests) if each in self.by_digest)
        if len(entries) != len(digests) or len(entries) not in (1, 2):
            return None
        return Item("rating" if len(entries) == 1 else "preference", entries)


class Review:
    """One method an address. They read files, hence threads."""

    def __init__(self, run: Path, file: Path, rater: str, seed: int) -> None:
        self._run, self._file, self._rater, self._seed = run, file, rater, seed
        self._index = EpisodeIndex(run)
        self._questions = Questions(run)
        self._order = Order()
        self._lock = threading.Lock()
        self._index.refresh()

    def about(self, request: Request) -> Response:
        return JSONResponse({"run": self._run.resolve().name, "rater": self._rater, "file": str(self._file)})

    def item(self, request: Request) -> Response:
        return _answer(lambda: self._item(request.query_params))

    async def rate(self, request: Request) -> Response:
        content = await request.body()
        return await run_in_threadpool(_answer, lambda: self._keep(_read(content, Verdict)))

    async def undo(self, request: Request) -> Response:
        content = await request.body()
        return await run_in_threadpool(_answer, lambda: self._take_back(_read(content, Undo)))

    def _item(self, asked: Mapping[str, str]) -> dict[str, Any]:
        rater = _rater(asked.get("rater", ""))
        kind: Kind = "rating" if asked.get("kind") == "rating" else "preference"
        order = self._items()
        mine = self._rated(rater)
        if wanted := asked.get("id"):
            item = order.find(wanted) or (order.item_of(mine[wanted].item) if wanted in mine else None)
            kind = item.kind if item else kind
        items = order.by_kind[kind]
        if not wanted:
            item = _next(items, set(mine), asked.get("after", ""))
        done = {each for each, rating in mine.items() if rating.kind == kind}
        read, there = self._index.progress()
        return {
            "kind": kind,
            "item": self._shown(item, rater) if item else None,
            "rated": given_view(mine[item.id], item.shown_to(rater, self._seed)) if item and item.id in mine else None,
            "done": len(done),
            "total": len(items.keys() | done),
            "read": read / there if there else 1.0,
            "problems": [each.message for each in self._questions.problems],
        }

    def _items(self) -> Order:
        """All items there are now; those of questions that are not known are left out."""
        self._index.refresh()
        with self._lock:
            state = [(part.name, part.tail.generation, len(part.entries)) for part in self._index.parts()]
            if state != self._order.of:
                known = [each for each in self._index.entries() if self._questions.get(each.question_id)]
                pairs = choose_pairs(known, self._seed)
                lists: dict[Kind, list[Item]] = {"preference": pairs, "rating": choose_singles(pairs)}
                by_kind = {kind: {item.id: item for item in items} for kind, items in lists.items()}
                self._order = Order(state, by_kind, {entry.digest: entry for entry in known})
            return self._order

    def _rated(self, rater: str) -> dict[str, Rating]:
        """This rater's standing ratings by item."""
        mine = [each for each in standing(read_ratings(self._file)) if each.rater == rater]
        return {item_id(each.kind, each.question_id, each.item): each for each in mine}

    def _shown(self, item: Item, rater: str) -> dict[str, Any]:
        episodes = [(entry.digest, self._episode(entry)) for entry in item.shown_to(rater, self._seed).entries]
        return item_view(item.id, self._question(item), episodes)

    def _keep(self, verdict: Verdict) -> dict[str, Any]:
        item = self._items().item_of(set(verdict.shown))
        if item is None or item.id != verdict.item:
            raise Refused("there is no such item in this run any more: skip it", 404)
        entries = {entry.digest: entry for entry in item.entries}
        if len(verdict.criteria) not in (0, len(entries)):
            raise Refused("criteria are of each episode of the item, or of none")
        question = self._question(item)
        criteria = verdict.criteria or ({},) * len(entries)
        episodes = [
            _rated_episode(entries[each], self._episode(entries[each]), question, said)
            for each, said in zip(verdict.shown, criteria, strict=True)
        ]
        try:
            line = Rating(
                **_stamp(verdict.rater),
                kind=item.kind,
                question_id=question.id,
                episodes=tuple(episodes),
                score=verdict.score,
                preference=verdict.preference,
                comment=verdict.comment,
            )
        except ValueError as error:
            raise Refused(str(error)) from error
        append(self._file, line)
        return {"id": line.id}

    def _take_back(self, undo: Undo) -> dict[str, Any]:
        rater = _rater(undo.rater)
        lines = read_ratings(self._file)
        counted = {each.id for each in standing(lines) if each.rater == rater}
        last = next((each for each in reversed(lines) if each.id in counted), None)
        if last is None:
            return {"kind": None, "item": None, "rated": None}
        append(self._file, Rating(**_stamp(rater), kind="undo", undoes=last.id))
        item = self._items().item_of(last.item)
        return {
            "kind": last.kind,
            "item": item.id if item else None,
            "rated": given_view(last, item.shown_to(rater, self._seed)) if item else None,
        }

    def _question(self, item: Item) -> Question:
        question = self._questions.get(item.entries[0].question_id)
        if question is None:
            raise Refused("the question of this item is no longer in the run", 404)
        return question

    def _episode(self, entry: Entry) -> Rollout:
        """Raises Moved where the file has come to hold another one."""
        rollout = self._index.episode(entry)
        if digest(rollout) != entry.digest:
            raise Moved(f"{entry.part} was replaced")
        return rollout


def _next(items: Mapping[str, Item], rated: set[str], after: str) -> Item | None:
    """The first that is not rated behind `after`; from the start again, so that what was skipped comes back."""
    ids = list(items)
    start = ids.index(after) + 1 if after in items else 0
    return next((items[each] for each in ids[start:] + ids[:start] if each not in rated and each != after), None)


def _rated_episode(entry: Entry, rollout: Rollout, question: Question, criteria: Mapping[str, bool]) -> RatedEpisode:
    found = dict(zip(FEATURES, features(question, rollout).tolist(), strict=True))
    reward = None if rollout.reward is None else rollout.reward.total
    try:
        return RatedEpisode(entry.part, entry.sample, entry.digest, found, reward, criteria)
    except ValueError as error:
        raise Refused(str(error)) from error


def _stamp(rater: str) -> dict[str, Any]:
    return {"id": secrets.token_hex(8), "time": datetime.now(UTC).isoformat(timespec="seconds"), "rater": rater}


def _rater(name: str) -> str:
    try:
        return check_rater(name)
    except ValueError as error:
        raise Refused(str(error)) from error


def _read(content: bytes, record: type[T]) -> T:
    if len(content) > MOST_BYTES:
        raise Refused(f"{len(content):,} bytes; {MOST_BYTES:,} are the most", 413)
    try:
        return TypeAdapter(record).validate_json(content)
    except ValidationError as error:
        raise Refused(fault(error)) from error


def _answer(work: Callable[[], dict[str, Any]]) -> Response:
    """What `work` finds, or why not, as JSON."""
    try:
        return JSONResponse(work())
    except Refused as error:
        return JSONResponse({"error": str(error)}, error.status)
    except Moved as error:
        return JSONResponse({"error": f"{error}; it is being read again"}, 409)
    except DataError as error:
        return JSONResponse({"error": str(error)}, 500)
