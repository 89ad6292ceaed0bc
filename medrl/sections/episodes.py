"""Episodes: their limits, their reward, who plays them."""

from typing import Annotated

from pydantic import Field, model_validator

from medrl.sections.base import Positive, Seconds, Section
from medrl.sections.endpoint import EndpointConfig, JudgeConfig


class EnvConfig(Section):
    """Limits of one episode."""

    max_turns: Positive = Field(8, description="turns of the policy, the answer among them")
    max_mistakes: Positive = Field(
        3, description="malformed turns and refused calls in a row; who has made as many goes on making them"
    )
    max_turn_tokens: Positive = Field(96, description="one completion, tokens")
    observation_tokens: Positive = Field(160, description="one tool response, tokens; longer ones are cut")
    timeout_s: Seconds = Field(
        120.0, description="time of its tools together; a wait for the engine is not the policy's doing"
    )
    tool_hint: bool = Field(
        False, description="tell the policy before each turn how likely a medical and a general tool come next"
    )


class RewardConfig(Section):
    """r = task·r_task + expert·r_expert − efficiency·r_efficiency (paper: 1.0, 0.2, 0.1)."""

    task: Annotated[float, Field(ge=0)] = Field(1.0, description="weight of r_task: is the answer correct")
    expert: Annotated[float, Field(ge=0)] = Field(
        0.2, description="weight of r_expert: how well was it found and shown"
    )
    efficiency: Annotated[float, Field(ge=0)] = Field(
        0.1, description="weight of r_efficiency, which is taken off: calls that brought nothing"
    )
    judge: JudgeConfig | None = Field(
        None, description="endpoint for r_expert: give url and model; null: the built-in rubric"
    )
    efficiency_judge: JudgeConfig | None = Field(
        None,
        description="endpoint that counts needless calls; the higher of its count and the rules' is taken; null: rules",
    )
    ratings: tuple[str, ...] = Field(
        (), description="files that `medrl review` wrote: r_expert is learnt from them; none: judge or built-in rubric"
    )
    irrelevant_below: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="a call is irrelevant where the fitted choice of tools gave it less than this; 0: not looked at",
    )

    @model_validator(mode="after")
    def _one_expert(self) -> "RewardConfig":
        if self.judge is not None and self.ratings:
            raise ValueError("judge and ratings are both given, and r_expert comes from one: leave the other out")
        return self


class RolloutConfig(Section):
    """Rollout workers: processes that run the tool environment."""

    workers: Positive = Field(1, description="processes that play episodes")
    episodes_in_flight: Positive | None = Field(
        None, description="episodes under way at once; null: what the engines decode together. More if tools are slow"
    )
    attempts: Positive = Field(3, description="tries per episode when infrastructure fails, before it is dropped")
    timeout_s: Seconds = Field(600.0, description="longest wait for the next finished group")


class EvalConfig(Section):
    """Evaluation on held-out questions."""

    questions: Positive = Field(
        160, description="held-out questions that each model plays, as far as there are so many"
    )
    samples: Positive = Field(2, description="samples a question at the training temperature")
    bootstrap: Positive = Field(10_000, description="resamples behind an interval")
    models: list[EndpointConfig] = Field(
        [], description="other models that play benchmarks: `medrl eval RECIPE --on … --agent MODEL`"
    )
    judge: JudgeConfig | None = Field(
        None, description="endpoint that reads answers to benchmarks which no rule calls correct; null: rules alone"
    )

    @model_validator(mode="after")
    def _models_apart(self) -> "EvalConfig":
        names = [model.model for model in self.models]
        if len(set(names)) < len(names):
            raise ValueError(f"models={names}: two have one name, so one's results would pass for the other's")
        return self
