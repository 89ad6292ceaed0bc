"""The policy, and what it is sampled, trained and kept with."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from medrl.sections.base import Fraction, Positive, Seconds, Section

MOST_TAG = 64
"""Letters of a tag; wandb refuses longer ones."""


class ModelConfig(Section):
    """The policy to start from."""

    path: str = Field("smollm2-135m", description="`smollm2-135m` (the packaged default) or a Hugging Face folder")
    dtype: Literal["auto", "bfloat16", "float32"] = Field(
        "auto",
        description="of the weights, sampled and trained; auto: bfloat16 where it is fast, on GPUs and processors with "
        "AVX512_BF16, AMX or Arm's bf16, else float32; a run goes on in what it began with",
    )
    max_length: Positive = Field(1536, description="longest episode, tokens: prompt, actions and observations")


class PoolConfig(Section):
    """The vLLM inference pool."""

    engines: Positive = Field(1, description="copies of the policy that decode side by side")
    max_sequences: Positive = Field(80, description="sequences decoded together by one engine")
    kv_cache_gb: Annotated[float, Field(gt=0)] = Field(1.5, description="per engine on CPU")
    gpu_memory_utilization: Fraction = Field(0.85, description="share of a GPU's memory that an engine takes")
    tensor_parallel: Positive = Field(1, description="GPUs that share one engine, all on one node")
    enforce_eager: bool = Field(True, description="no compilation: starts in seconds, decodes somewhat slower")
    on_update: Literal["recompute", "keep"] = Field(
        "recompute",
        description="cache of requests that run when weights change: computed again, or kept, faster and inexact",
    )
    weight_transfer: Literal["files", "broadcast"] = Field(
        "files", description="files: shared memory, Ray objects to other nodes; broadcast: NCCL between GPUs"
    )
    start_timeout_s: Seconds = Field(300.0, description="longest start of an engine, and of a rollout worker's tools")
    request_timeout_s: Seconds = Field(180.0, description="longest wait for one completion, over all attempts")
    stuck_after_s: Seconds = Field(
        300.0,
        description="an engine without a sign of life, or with requests and none ended, is started again after this",
    )


class LearnerConfig(Section):
    """DeepSpeed."""

    ranks: Positive = Field(1, description="processes that train together, one for each GPU")
    zero_stage: Literal[0, 1, 2, 3] = Field(
        0, description="what the ranks share out: 1 optimiser state, 2 gradients too, 3 weights too; 0: nothing"
    )
    micro_batch_tokens: Positive = Field(
        8192, description="computed tokens in one forward and backward: on GPU with padding, on CPU without"
    )
    max_grad_norm: Annotated[float, Field(gt=0)] = Field(1.0, description="gradients are scaled down to this norm")
    gradient_checkpointing: bool = Field(
        False, description="activations are computed again in the backward pass: less memory, more time"
    )
    lora_rank: Annotated[int, Field(ge=0)] = Field(
        0, description="rank of adapters on all linear layers, trained in place of the weights; 0: the weights"
    )
    lora_alpha: Annotated[float, Field(gt=0)] = Field(32.0, description="adapters count lora_alpha / lora_rank times")
    sequence_parallel: Positive = Field(
        1, description="GPU ranks that share each episode's tokens (Ulysses); must divide learner.ranks"
    )
    threads: Annotated[int, Field(ge=0)] = Field(0, description="CPU threads a rank; 0: all cores over the ranks")
    step_timeout_s: Seconds = Field(900.0, description="longest step of the learner, before it counts as lost")

    @model_validator(mode="after")
    def _split(self) -> "LearnerConfig":
        if self.ranks % self.sequence_parallel:
            raise ValueError(
                f"sequence_parallel={self.sequence_parallel} does not divide ranks={self.ranks}: each group of ranks "
                "that share an episode must be whole"
            )
        return self


class ClusterConfig(Section):
    """What the machines of a GPU run have; `medrl plan` and `medrl cluster` go by it."""

    nodes: Positive = Field(1, description="machines")
    gpus_per_node: Positive = Field(8, description="GPUs of one node")
    gpu_gb: Annotated[float, Field(gt=0)] = Field(80.0, description="memory of one GPU, 1e9 bytes")
    cpus_per_node: Positive = Field(64, description="CPU cores of one node")
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
    project: str = Field("medrl", description="wandb's project")
    group: str | None = Field(None, description="what the run belongs to, in wandb; a sweep sets it")
    tags: tuple[Annotated[str, Field(min_length=1, max_length=MOST_TAG)], ...] = Field(
        (), description="words to find the run by, in wandb; a sweep sets them"
    )
    tables_every: Annotated[int, Field(ge=0)] = Field(
        5, description="GRPO steps from one table of episodes to the next, in wandb; 0: none"
    )
    artifacts: Literal["none", "data", "all"] = Field(
        "none",
        description="in wandb: data: questions and guided trajectories, the files themselves; all: also where the "
        "trained models are, with checksums, not the weights",
    )
    token_logprobs: bool = Field(
        True,
        description="the learner's own log-probs of the tokens that it learns from, in trajectories/*.tokens.jsonl",
    )
