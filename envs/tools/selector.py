"""Which class of tool comes next (MedResearcher-R1, arXiv:2508.14880):

    P(t | s_t, q) = σ(w_mᵀ φ(s_t, q)) for medical tools, σ(w_gᵀ φ(s_t, q)) for general ones

Two answers to two questions, which need not add up to 1: at the end of an episode neither class is called. w_m and w_g
are fitted to what episodes that succeeded did (`fit`): logistic regression with an L2 penalty.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from envs.retrieval.index import Index
from envs.state import frontier, hops_found, is_visited, replay
from envs.text import KIND_WORDS, STOPWORDS, name_words, words
from medrl.errors import ConfigError, DataError
from medrl.records import fault, write_json
from medrl.state import State
from medrl.types import Step

Reals = npt.NDArray[np.float64]
ToolClass = Literal["medical", "general"]
CLASSES: dict[str, ToolClass] = {
    "medical_retriever": "medical",
    "clinical_reasoning": "medical",
    "web_search": "general",
    "document_read": "general",
}
#: φ. All but the first say something of q, of s_t, or of both; each is in [0, 1].
FEATURES = (
    "constant",
    "rarity",  # of what is asked about next: the rarest name found and not asked about yet, at first of the question
    "hops_left",  # asked for by the text, less those found, over `_MOST_HOPS`
    "all_found",  # no hop is left
    "medical_terms",  # share of those that are names of medical documents; at first, of the question's medical words
    "nothing_named",  # no such name is known: everyday words, say
    "names_left",  # share of the question's names that no call has brought anything on; all, where none is known yet
    "first_call",
    "name_at_hand",  # something was found that no call has named yet
    "last_failed",  # the last turn was a mistake
    "last_empty",  # the last call brought no new fact
    "turn",  # turns so far over `_MOST_TURNS`
)
_MOST_HOPS, _MOST_TURNS = 6, 10
#: Each stands for a hop in a question's text; a name in everyday words has to be translated first.
_HOP_WORDS = frozenset("gene disease condition disorder syndrome finding sign feature drug trial".split())
_EVERYDAY = re.compile(r"\b(?:people|patients|laypeople) call\b|\bknown to patients as\b", re.I)
_LONGEST_NAME = 12
_L2 = 1.0
_NEWTON_STEPS = 100


class ToolChoice(NamedTuple):
    """P that a medical tool is called next, and P that a general one is."""

    medical: float
    general: float

    def of(self, tool: str) -> float | None:
        """That of the class of `tool`; None for a tool that is of neither."""
        known = CLASSES.get(tool)
        return None if known is None else self.medical if known == "medical" else self.general

    @property
    def preferred(self) -> ToolClass:
        """The likelier class."""
        return "medical" if self.medical >= self.general else "general"

    @property
    def hint(self) -> str:
        """What a policy is told."""
        return f"Next tool: medical {self.medical:.2f}, general {self.general:.2f}."


class Vocabulary(Protocol):
    """What is known of words and names before any question is asked."""

    def rarity(self, word: str) -> float:
        """idf over the largest that there is, in [0, 1]; 1 for a word of no document."""

    def knows(self, name: str) -> bool:
        """Whether a medical document is called so."""

    def __hash__(self) -> int: ...  # `read_question` remembers by it


class MedicalVocabulary:
    """Of the medical corpus."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._most = index.text.idf("")

    def rarity(self, word: str) -> float:
        return self._index.text.idf(word) / self._most

    def knows(self, name: str) -> bool:
        return bool(self._index.find(name))


class Asked(NamedTuple):
    """What a question's text says: the names in it that are known; their share of the words that medical documents
    have and that tell something; the hops."""

    names: tuple[str, ...]
    share: float
    hops: int


@lru_cache(maxsize=4096)
def read_question(text: str, vocabulary: Vocabulary) -> Asked:
    """The longest known names, from the left; then the hop words in the rest."""
    pieces = text.split()
    names: list[str] = []
    rest: list[str] = []
    place = 0
    while place < len(pieces):
        ends = range(min(len(pieces), place + _LONGEST_NAME), place, -1)
        found = next((end for end in ends if _is_name(pieces[place:end], vocabulary)), None)
        if found is None:
            rest.append(pieces[place])
            place += 1
        else:
            names.append(_joined(pieces[place:found]))
            place = found
    covered = sum(len(_telling(name)) for name in names)
    told = sum(vocabulary.rarity(word) < 1.0 for word in _telling(" ".join(rest)))
    hops = sum(word in _HOP_WORDS for piece in rest for word in words(piece)) + bool(_EVERYDAY.search(text))
    return Asked(tuple(names), covered / max(covered + told, 1), hops)


def features(text: str, state: State, steps: Sequence[Step], vocabulary: Vocabulary) -> tuple[float, ...]:
    """φ(s_t, q), in the order of `FEATURES`. `state` is the one after `steps`."""
    asked = read_question(text, vocabulary)
    ahead = frontier(state)
    names = ahead or asked.names or (text,)
    left = max(0, asked.hops - hops_found(state))
    last = steps[-1].status if steps else "ok"
    known = sum(map(vocabulary.knows, ahead)) / len(ahead) if ahead else asked.share
    return (
        1.0,
        max(sum(map(vocabulary.rarity, name_words(name))) / max(len(name_words(name)), 1) for name in names),
        min(left / _MOST_HOPS, 1.0),
        float(left == 0),
        known,
        float(not ahead and not asked.names),
        sum(not is_visited(state, each) for each in asked.names) / len(asked.names)
        if asked.names
        else float(not state.paths),
        float(not steps),
        float(bool(ahead)),
        float(last in ("mistake", "malformed")),
        float(last == "ok" and bool(steps) and all(fact.turn < len(steps) for fact in state.facts)),
        min(len(steps) / _MOST_TURNS, 1.0),
    )


class Decision(NamedTuple):
    """φ before a turn, and the class of the tool that the turn called; None for an answer."""

    features: tuple[float, ...]
    called: ToolClass | None


def decisions(text: str, steps: Sequence[Step], vocabulary: Vocabulary) -> list[Decision]:
    """The turns of an episode that called one of `CLASSES` or answered."""
    made = []
    for number, (step, state) in enumerate(zip(steps, replay(steps), strict=False)):
        called = CLASSES.get(step.call.name) if step.call is not None else None
        if called is not None or step.status == "answer":
            made.append(Decision(features(text, state, steps[:number], vocabulary), called))
    return made


class Selector(BaseModel):
    """The weights, one for each of `FEATURES`, and what they were fitted to."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    features: tuple[str, ...] = FEATURES
    medical: Annotated[tuple[float, ...], Field(min_length=len(FEATURES), max_length=len(FEATURES))]
    general: Annotated[tuple[float, ...], Field(min_length=len(FEATURES), max_length=len(FEATURES))]
    decisions: int

    def probabilities(self, phi: Sequence[float]) -> ToolChoice:
        """σ(wᵀφ) of both classes."""
        return ToolChoice(*(float(_sigmoid(np.dot(w, phi))) for w in (self.medical, self.general)))

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> "Selector":
        """Raises ConfigError if there is none at `path`, DataError if it is of another φ or damaged."""
        try:
            read = cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ConfigError(
                f"{path}: {error.strerror}; it is written where a run's data are made: give run_dir=another/folder"
            ) from error
        except ValidationError as error:
            raise DataError(f"{path}: {fault(error)}; delete it and fit it again") from error
        if read.features != FEATURES:
            raise DataError(f"{path}: fitted to other features ({', '.join(read.features)}); fit it again")
        return read


def fit(made: Iterable[Decision], l2: float = _L2) -> Selector:
    """The weights that make the decisions likeliest: Σ log-loss + l2/2·|w|², the constant without penalty.

    Raises DataError if there are no decisions.
    """
    listed = list(made)
    if not listed:
        raise DataError("no decision to fit the choice of tools to: there are no episodes that succeeded")
    phi = np.array([each.features for each in listed])
    weights = [
        _logistic(phi, np.array([each.called == name for each in listed]), l2) for name in ("medical", "general")
    ]
    return Selector(medical=weights[0], general=weights[1], decisions=len(listed))


def _logistic(phi: Reals, called: npt.NDArray[np.bool_], l2: float) -> tuple[float, ...]:
    """Newton's method on a convex loss, from 0: the step is halved while it would raise the loss."""
    penalty = np.full(phi.shape[1], l2)
    penalty[0] = 1e-6  # the constant: as good as none, and still one minimum where all labels are alike
    weights = np.zeros(phi.shape[1])

    def loss(at: Reals) -> float:
        z = phi @ at
        return float(np.sum(np.logaddexp(0.0, z) - called * z) + 0.5 * np.sum(penalty * at * at))

    for _ in range(_NEWTON_STEPS):
        p = _sigmoid(phi @ weights)
        gradient = phi.T @ (p - called) + penalty * weights
        hessian = (phi * (p * (1.0 - p))[:, None]).T @ phi + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-8 and loss(weights - size * step) > loss(weights):
            size /= 2.0
        weights = weights - size * step
        if np.abs(size * step).max() < 1e-9:
            break
    return tuple(round(float(each), 6) for each in weights)


def _sigmoid(z: Reals) -> Reals:
    positive: Reals = 0.5 * (1.0 + np.tanh(0.5 * z))
    return positive


@dataclass(frozen=True, slots=True)
class Advisor:
    """The selector with the vocabulary that φ needs: what an environment asks before each turn."""

    selector: Selector
    vocabulary: Vocabulary

    def advise(self, text: str, state: State, steps: Sequence[Step]) -> ToolChoice:
        """P of both classes for the turn after `steps`."""
        return self.selector.probabilities(features(text, state, steps, self.vocabulary))


def _is_name(pieces: Sequence[str], vocabulary: Vocabulary) -> bool:
    """A known name that is more than hop words and furniture of a sentence; a short one in small letters is none."""
    name = _joined(pieces)
    return bool(_telling(name)) and (name != name.lower() or len(name) > 4) and vocabulary.knows(name)


def _joined(pieces: Sequence[str]) -> str:
    return " ".join(pieces).strip(",.;:?!\"'")


def _telling(text: str) -> list[str]:
    return [word for word in words(text) if word not in STOPWORDS | KIND_WORDS | _HOP_WORDS]
