"""The way to a question's answer as numbered steps that name nothing: guidance for a teacher (`kisa.guidance`)."""

from collections.abc import Mapping

from kisa.formats.placeholders import is_lay, placeholders_of
from kisa.guidance import mask
from medrl.types import Question

#: Key: a masked relation.
_TASKS: Mapping[str, str] = {
    "lay_term_of": "Find the finding that {x} stands for in everyday words",
    "presents_in": "Find the disease that shows {x}",
    "presents_in/all": "Find the only disease that shows {x} together",
    "presents_in/shows": "Look through the diseases that show {x} for the one that shows {value} as well",
    "caused_by": "Find the gene that causes {x}",
    "causes": "Find the disease that {x} causes",
    "causes/shows": "Look through the diseases that {x} causes for the one that shows {value}",
    "is_a": "Find the broader finding that {x} is a form of",
    "has_finding/organ_system": "Look through the findings of {x} for the only one of the system {value}",
    "has_finding/frequency_class": "Look through the findings of {x} for the only one that is {value}",
}


def reasoning_path(question: Question) -> str:
    """Markdown, a step a line. What the question says is a clue; all else that has a name is an entity.

    Where an earlier entity is of the same kind as the one to find, the step says that it does not count: that is what
    "the other disease" in a question means.
    """
    marks = placeholders_of(question)
    entities, narrowing = list(marks.entities), list(marks.narrowing)
    kinds = [entity.kind for entity in question.entities]
    if is_lay(question):
        entities.insert(0, marks.anchors[0])
        narrowing.insert(0, "")
        kinds.insert(0, "")
    steps = []
    for hop, (_, relation, _) in enumerate(mask(question)):
        begin = _listed(marks.anchors) if hop == 0 else entities[hop]
        task = _TASKS[relation].format(x=begin, value=narrowing[hop])
        others = ", leaving aside what came before" if kinds[hop + 1] in kinds[:hop] else ""
        steps.append(f"{hop + 1}. **From {begin} to {entities[hop + 1]}**. {task}{others}: {entities[hop + 1]}.")
    return "\n".join(steps)


def _listed(anchors: tuple[str, ...]) -> str:
    return " and ".join((", ".join(anchors[:-1]), anchors[-1])) if len(anchors) > 1 else anchors[0]
