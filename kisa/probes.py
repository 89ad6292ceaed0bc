"""What the tools alone say of a question: is the evidence for each hop there, and is one search enough?"""

from envs.corpus import Document
from envs.tools.base import Tool
from envs.tools.medical_retriever import MedicalRetriever
from kisa.names import occurs
from kisa.planner import HOPS
from kisa.query import Step
from medrl.types import Question, Relation


def hop_queries(question: Question) -> list[str]:
    """What is searched for each hop, each clue and each branch, in this order."""
    return [query for _, query in _asked(question)]


def hops_found(question: Question, retriever: MedicalRetriever, k: int = 10) -> list[bool]:
    """For each of `hop_queries`: is a document that states the relation among the `k` best?

    A relation is stated by the document of one of the two entities that it links, if that names the other.
    """
    return [
        any(_states(hit.document, relation) for hit in retriever.search(query, k))
        for relation, query in _asked(question)
    ]


def _asked(question: Question) -> list[tuple[Relation, str]]:
    """The relations with what the oracle asks to find them; findings that are seen together are asked together."""
    plain: Step = ("presents_in", "", "")
    along = [(each, _query(each, step)) for each, step in zip(question.relations, question.query[1], strict=True)]
    if question.clues:
        together = "; ".join(each.subject.name for each in (question.relations[0], *question.clues))
        along[0] = (question.relations[0], together)
        along += [(clue, together) for clue in question.clues]
    return along + [(branch, _query(branch, plain)) for branch in question.branches]


def _query(relation: Relation, step: Step) -> str:
    predicate, _, value = step
    if predicate == "has_finding":
        return f"{relation.subject.name} {value} findings"
    return HOPS[predicate].query.format(x=relation.subject.name)


def _states(document: Document, relation: Relation) -> bool:
    ends = {relation.subject.id: relation.object, relation.object.id: relation.subject}
    other = ends.get(document.id)
    return other is not None and occurs(other.name, document.text)


async def one_search_answers(question: Question, retriever: Tool) -> bool:
    """Whether searching for the question's own words shows the answer, or another name of it. Raises ToolOutage."""
    shown = (await retriever.call({"query": question.text})).text
    return any(occurs(name, shown) for name in (question.answer, *question.aliases))
