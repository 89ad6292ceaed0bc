"""The nouns that flow through the system: Question -> Rollout -> RolloutGroup.

A worked example, two hops:

    Question("q1", text="Which gene, when mutated, causes the disease that presents with pectus carinatum?",
             relations=(finding -> disease, disease -> gene), answer="FBN1", hops=2)
    Rollout(token_ids=[system, question, act, obs, act, obs, act], action_mask=[0.. 0.. 1.. 0.. 1.. 0.. 1..],
            steps=[Step(call=ToolCall("medical_retriever", {"query": ...})), ..., Step(call=None)],
            ending=ANSWERED, answer="FBN1")
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

from medrl.state import State

Role = Literal["system", "user", "assistant"]
Split = Literal["train", "heldout"]
#: A formal question: ids of the anchors, then steps (predicate, constraint, value); "" where a step has no constraint.
Query = tuple[tuple[str, ...], tuple[tuple[str, str, str], ...]]
StepStatus = Literal["ok", "mistake", "answer", "malformed"]
#: Who acted: a policy, the teacher led by the masked structure, or the teacher that also strays from it.
Origin = Literal["policy", "guided", "exploration"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, as a chat template sees it."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Entity:
    """A node of the knowledge graph. `kind`: disease, gene, phenotype, inheritance, onset or organ_system."""

    id: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Relation:
    """One edge: the 6-tuple <subject, predicate, object, temporal, spatial, clinical> and where it was read.

    `temporal`: onset, curation date. `spatial`: organ system. `clinical`: frequency, sex. `provenance`: reference
    (PMID or source id) and evidence code. Keys that the source leaves open are absent, never empty strings.
    """

    subject: Entity
    predicate: str
    object: Entity
    temporal: Mapping[str, str] = field(default_factory=dict)
    spatial: Mapping[str, str] = field(default_factory=dict)
    clinical: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """A multi-hop question with a proved answer. `relations` is the chain, from the named anchor to the answer.

    `anchors`: what the text begins with, as it is written there. `clues`: relations beside the chain that narrow its
    first hop. `branches`: those that narrow later hops, in order, from the finding that the text names.
    `query`: the formal question, run on the graph to prove that `answer` is the only one. `optimal`: the subgraph that
    it was made from is known to hold no longer chain of the lengths that were wanted.
    """

    id: str
    text: str
    answer: str
    aliases: tuple[str, ...]
    hops: int
    specialty: str
    split: Split
    relations: tuple[Relation, ...]
    anchors: tuple[str, ...] = ()
    clues: tuple[Relation, ...] = ()
    branches: tuple[Relation, ...] = ()
    query: Query = ((), ())
    optimal: bool = True

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The chain's nodes, anchor first, answer last; `hops + 1` of them."""
        return (self.relations[0].subject, *(relation.object for relation in self.relations))


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the policy wrote it: parsed, not yet validated against the tool's schema."""

    name: str
    arguments: Mapping[str, Any]


class Ending(StrEnum):
    """Why an episode ended. All but an outage are the policy's doing and are scored."""

    ANSWERED = "answered"
    TURN_LIMIT = "turn_limit"
    TOKEN_LIMIT = "token_limit"
    TIME_LIMIT = "time_limit"
    MISTAKE_LIMIT = "mistake_limit"
    NO_TOOL_CALL = "no_tool_call"
    TOOL_OUTAGE = "tool_outage"


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the agent and what came back.

    `call` is None where the turn holds no well-formed call; `status` is `answer` on the last turn of an answered
    episode, `mistake` where the observation tells the model what it did wrong; `sources` are the ids of the documents
    returned. `choice` is the selector's P(t | s_t, q) of the tool that was called, None where no selector was asked.
    `cached`: the tool's answer was known, so that no call was made. `corruption`: how a demonstration's observation was
    spoilt on purpose, "" where it was not.
    """

    text: str
    call: ToolCall | None
    observation: str
    status: StepStatus
    sources: tuple[str, ...] = ()
    latency_s: float = 0.0
    choice: float | None = None
    cached: bool = False
    corruption: str = ""


@dataclass(frozen=True, slots=True)
class Reward:
    """The terms, each in [0, 1], and their weighted sum `total` (paper: 1.0 task + 0.2 expert - 0.1 efficiency)."""

    total: float
    task: float
    expert: float
    efficiency: float


@dataclass(slots=True)
class Rollout:
    """One episode, as tokens and as steps. The four lists run over the same T tokens.

    `action_mask` is True on tokens the policy sampled; there `logprobs` holds the sampler's log-probability in nats at
    the sampling temperature and `versions` the policy version that sampled it. Elsewhere they hold 0.0 and -1. A
    demonstration (from kisa: `origin` is guided or exploration) has all log-probs 0.0 and all versions -1. `state` is
    what the environment kept beside the conversation.
    """

    question_id: str
    sample: int
    token_ids: list[int]
    action_mask: list[bool]
    logprobs: list[float]
    versions: list[int]
    steps: list[Step]
    ending: Ending
    answer: str | None
    duration_s: float = 0.0
    generate_s: float = 0.0
    tools_s: float = 0.0
    reward: Reward | None = None
    origin: Origin = "policy"
    state: State = field(default_factory=State)

    @property
    def num_tool_calls(self) -> int:
        return sum(step.call is not None for step in self.steps)


@dataclass(frozen=True, slots=True)
class RolloutGroup:
    """All samples drawn for one question; the baseline's unit."""

    question: Question
    rollouts: tuple[Rollout, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw tokens. `temperature` 0 is greedy; `max_tokens` bounds one completion; `seed` makes it repeatable."""

    temperature: float
    max_tokens: int
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What a sampler returns for one turn: for each token its log-prob, in nats at the sampling temperature, and the
    policy version that sampled it; weights may change under a turn."""

    token_ids: list[int]
    logprobs: list[float]
    versions: list[int]
    finish_reason: Literal["stop", "length"]


class Generate(Protocol):
    """The one seam to a language model: the vLLM pool, an OpenAI-compatible endpoint, a scripted fake.

    Raises InfrastructureError when no completion can be had.
    """

    async def __call__(self, token_ids: list[int], *, sampling: Sampling, request_id: str) -> Completion: ...
