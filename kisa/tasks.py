"""What kind of work a question is, told by its last hop: what leads to the answer, and what the answer is.

diagnosis      a disease, from its findings
rare disease   a disease, from its gene
genetics       a gene
findings       what a disease shows, or what a finding is a kind of
"""

from medrl.types import Question

_OF_DISEASES = {"phenotype": "diagnosis", "gene": "rare disease"}
_OF_OTHERS = {"gene": "genetics", "phenotype": "findings"}


def task_of(question: Question) -> str:
    """The question's task. An answer of another kind than the above makes a task of its own, named after the kind;
    "other" is a question without relations, as those of other datasets are."""
    if not question.relations:
        return "other"
    last = question.relations[-1]
    kinds = _OF_DISEASES if last.object.kind == "disease" else _OF_OTHERS
    return kinds.get(last.subject.kind if last.object.kind == "disease" else last.object.kind, last.object.kind)
