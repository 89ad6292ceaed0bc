"""Synthesis of questions and trajectories."""

from typing import Annotated

from pydantic import Field, model_validator

from medrl.sections.base import Fraction, Positive, Section
from medrl.sections.endpoint import EndpointConfig


class KisaConfig(Section):
    """Synthesis of questions and guided trajectories."""

    train_questions: Positive = Field(1200, description="questions to train on, each with a guided trajectory")
    heldout_questions: Positive = Field(160, description="questions of diseases and genes that training never sees")
    min_hops: Positive = Field(2, description="fewest hops of a question")
    max_hops: Positive = Field(4, description="most hops of a question")
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
    tool_choice: str | None = Field(
        None,
        description="tool_choice.json of an earlier data set: the teacher searches or reads as it prefers, and a run "
        "that needs the choice of tools goes by it; null: as the planner is written, and by the one fitted to the data",
    )
    workers: Positive = Field(1, description="processes that make questions; their number changes no question")
    hop_shares: dict[int, Fraction] = Field(
        {2: 0.4, 3: 0.35, 4: 0.25}, description="share of questions by hops; those outside min and max are dropped"
    )
    differential_fraction: Fraction = Field(0.1, description="questions that name findings of one disease together")
    exploration_fraction: Fraction = Field(
        0.3, description="1 − α: trajectories in which the teacher strays and comes back (paper: α = 0.7)"
    )
    corruption_fraction: Fraction = Field(
        0.05, description="outputs of tools in training trajectories that are spoilt, for the teacher to recover from"
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
