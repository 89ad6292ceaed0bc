"""Hand-written episodes over one two-hop and one three-hop chain."""

from medrl.types import Ending, Entity, Question, Relation, Reward, Rollout, RolloutGroup, Step, ToolCall

PECTUS = Entity("HP:0000768", "Pectus carinatum", "phenotype")
MARFAN = Entity("OMIM:154700", "Marfan syndrome", "disease")
FBN1 = Entity("NCBIGene:2200", "FBN1", "gene")
WEILL = Entity("OMIM:608328", "Weill-Marchesani syndrome 2, dominant", "disease")

TWO_HOPS = Question(
    id="q2",
    text="Which gene, when mutated, causes the disease that presents with pectus carinatum?",
    answer="FBN1",
    aliases=("fibrillin 1",),
    hops=2,
    specialty="cardiology",
    split="train",
    relations=(Relation(PECTUS, "finding_of", MARFAN), Relation(MARFAN, "caused_by", FBN1)),
)
ONE_HOP = Question("q1", "Which gene causes Marfan syndrome?", "FBN1", (), 1, "x", "train", TWO_HOPS.relations[1:])
NO_CHAIN = Question("q0", "Which gene causes Marfan syndrome?", "FBN1", (), 1, "x", "heldout", ())


def search(query: str, observation: str, *sources: str, tool: str = "medical_retriever", mistake: bool = False) -> Step:
    call = ToolCall(tool, {"query": query})
    return Step(f"<think>…</think>{query}", call, observation, "mistake" if mistake else "ok", sources, 0.1)


def final(answer: str, thought: str = "done") -> Step:
    return Step(f"<think>{thought}</think><answer>{answer}</answer>", None, "", "answer")


def episode(*steps: Step, question: Question = TWO_HOPS, ending: Ending | None = None, sample: int = 0) -> Rollout:
    """A rollout of these steps; the answer is read from the final one."""
    answered = bool(steps) and steps[-1].status == "answer"
    answer = steps[-1].text.split("<answer>")[1].removesuffix("</answer>") if answered else None
    return Rollout(
        question_id=question.id,
        sample=sample,
        token_ids=list(range(10)),
        action_mask=[False] * 4 + [True] * 6,
        logprobs=[0.0] * 10,
        versions=[-1] * 10,
        steps=list(steps),
        ending=ending or (Ending.ANSWERED if answered else Ending.TURN_LIMIT),
        answer=answer,
    )


def rewarded(rollout: Rollout, task: float, total: float | None = None) -> Rollout:
    rollout.reward = Reward(task if total is None else total, task, 0.0, 0.0)
    return rollout


FIND_DISEASE = search("pectus carinatum", "Marfan syndrome. Pectus carinatum is frequent.", "hp:0000768")
FIND_GENE = search("Marfan syndrome gene", "Marfan syndrome. Caused by variants in FBN1.", "ncbi:2200")


def group_of(question: Question, *totals: float) -> RolloutGroup:
    """A scored group, one three-token episode for each total reward; the task term equals it."""
    rollouts = (
        Rollout(
            question_id=question.id,
            sample=sample,
            token_ids=[1, 2, 3],
            action_mask=[False, True, True],
            logprobs=[0.0, -1.0, -1.0],
            versions=[-1, 0, 0],
            steps=[],
            ending=Ending.ANSWERED,
            answer="x",
            reward=Reward(total, total, 0.0, 0.0),
        )
        for sample, total in enumerate(totals)
    )
    return RolloutGroup(question, tuple(rollouts))
