"""Is a rare entity worth asking about? A language model's word on top of the rule (`kisa.entities.is_meaningful`).

A name that nobody uses may be a typing error, an artefact of an ontology or of a database; the paper has a model keep
those that are truly rare and clinically meaningful. Entities on which there is no word are left out and set aside.
"""

from collections.abc import Sequence

from envs.network.outcomes import Item
from medrl.chat import without_thought
from medrl.types import Entity, Message

STAGE = "significance"
_KINDS = {"disease": "a disease", "gene": "a human gene", "phenotype": "a clinical finding"}
_TASK = """\
You check entries of a medical knowledge base. Say YES if the name is correctly spelt, in use, and of clinical meaning;
say NO if it is a typing error, a placeholder, or trivial. Reply with YES or NO alone."""


def significance_items(entities: Sequence[Entity]) -> list[Item[str]]:
    """What to ask about each entity."""
    return [
        Item(
            entity.id,
            [Message("system", _TASK), Message("user", f"{entity.name}, {_KINDS[entity.kind]} ({entity.id})")],
            read_verdict,
        )
        for entity in entities
    ]


def read_verdict(reply: str) -> str | None:
    """ "yes", "no", or None for anything else: a reply that argues is no verdict."""
    word = without_thought(reply).strip(".*\"'").lower()
    return word if word in ("yes", "no") else None
