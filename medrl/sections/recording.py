"""Whether tools' answers are kept, and where."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from medrl.sections.base import Positive, Section


def _off(value: object) -> object:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else value


class RecordingConfig(Section):
    """Answers of all tools, by tool, arguments and the version of what they depend on."""

    mode: Annotated[Literal["off", "cache", "replay"], BeforeValidator(_off)] = Field(
        "off",
        description="off: every call is made; cache: a call is made once and its answer kept; replay: no call is made, "
        "and one that is not kept is an outage: its episode is dropped",
    )
    path: str = Field(
        "~/.cache/medrl/answers.sqlite",
        description="the file, shared by all processes of a machine; on a disk of its own, not one on the network",
    )
    version: str | None = Field(
        None,
        description="a name for the state of documents and services, e.g. a date; null: a hash of the documents, the "
        "encoder and the tools' code, which does not know of services on the network",
    )
    most_mb: Positive = Field(2000, description="largest size of the file; beyond it the oldest answers go")
