"""What the tools alone say of a question: is the evidence for each hop there, and is one search enough?"""

from envs.corpus import Document
from envs.tools.base import Tool
from envs.tools.medical_retriever import MedicalRetriever
from kisa.names import occurs
from kisa.planner import HOPS
from kisa.query import Step
from medrl.types import Question, Relation


def hop_query(relation: Relation, step: Step) -> str:
    """What the oracle searches for to take this hop."""
    predicate, _, value = step
    if predicate == "has_finding":
        return f"{relation.subject.name} {value} findings"
    return HOPS[predicate].query.format(x=relation.subject.name)


def hop_queries(question: Question) -> list[str]:
    """What is searched for each hop, each clue and each branch, in this order."""
    return [hop_query(relation, step) for relation, step in _asked(question)]


def hops_found(question: Question, retriever: MedicalRetriever, k: int = 10) -> list[bool]:
    """For each of `hop_queries`: is a document that states the relation among the `k` best?

    A relation is stated by the document of one of the two entities that it links, if that names the other.
    """
    return [
        any(_states(hit.document, relation) for hit in retriever.search(hop_query(relation, step), k))
        for relation, step in _asked(question)
    ]


def _asked(question: Question) -> list[tuple[Relation, Step]]:
    plain: Step = ("presents_in", "", "")
    along = list(zip(question.relations, question.query[1], strict=True))
    return along + [(relation, plain) for relation in (*question.clues, *question.branches)]


def _states(document: Document, relation: Relation) -> bool:
    ends = {relation.subject.id: relation.object, relation.object.id: relation.subject}
    other = ends.get(document.id)
    return other is not None and occurs(other.name, document.text)


async def one_search_answers(question: Question, retriever: Tool) -> bool:
    """Whether searching for the question's own words shows the answer, or another name of it. Raises ToolOutage."""
    shown = (await retriever.call({"query": question.text})).text
    return any(occurs(name, shown) for name in (question.answer, *question.aliases))
