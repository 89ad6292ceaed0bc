"""What is learnt from, and how."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from medrl.sections.base import Fraction, Positive, Section


class SFTConfig(Section):
    """Supervised fine-tuning on guided trajectories, negative log-likelihood of the agent's own tokens."""

    updates: Positive = Field(60, description="optimiser updates")
    batch_trajectories: Positive = Field(8, description="trajectories of one update")
    lr: Annotated[float, Field(gt=0)] = Field(3e-4, description="highest learning rate; it falls to 0 along a cosine")
    balanced: bool = Field(
        True, description="each batch holds its share of every task (`kisa.tasks`); false: trajectories in any order"
    )
    warmup_fraction: Fraction = Field(0.05, description="share of the updates in which the learning rate rises")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.01, description="of AdamW")


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
    """The policy gradient: group-mean baseline, no division by std, no KL term unless `kl` asks for it."""

    steps: Positive = Field(20, description="policy versions that are learnt, one a step")
    groups_per_step: Positive = Field(10, description="questions of one step")
    group_size: Positive = Field(8, description="episodes of one question")
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
    temperature: Annotated[float, Field(gt=0)] = Field(
        1.0, description="of sampling in training, and of sampled evaluation"
    )
    lr: Annotated[float, Field(gt=0)] = Field(5e-5, description="learning rate, constant after the warm-up")
    warmup_steps: Annotated[int, Field(ge=0)] = Field(0, description="steps in which the learning rate rises")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="of AdamW")
    baseline: Literal["mean", "leave_one_out"] = Field(
        "mean", description="what a reward is compared with: the group's mean (paper), or that of its other episodes"
    )
    divide_by_std: bool = Field(
        False, description="advantages over the group's standard deviation, as GRPO was first written; paper: no"
    )
    clip_low: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2, description="ratios of new to old probability count down to 1 − clip_low"
    )
    clip_high: Annotated[float, Field(gt=0)] = Field(0.28, description="and up to 1 + clip_high")
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
    kl: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="weight of KL(policy ‖ weights that GRPO starts from) in the loss, over all kept episodes, those "
        "without advantage too; 0: no such term (paper), and no reference in memory",
    )
    overlong: Literal["keep", "mask"] = Field(
        "keep", description="mask: episodes cut off at model.max_length count in the baseline and are not learnt from"
    )
    skip_constant_groups: bool = Field(
        True,
        description="spare the learner episodes without advantage: same loss, less work; with kl, which they bear on, "
        "none is spared",
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

    enabled: bool = Field(True, description="false: all hop counts alike, and all questions")
    target: Fraction = Field(0.5, description="pass rate at which a question teaches most")
    decay: Fraction = Field(0.9, description="weight kept by older evidence at each step")
    floor: Fraction = Field(0.1, description="least share of any hop count")
