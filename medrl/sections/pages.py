"""How pages of the open web are read."""

from typing import Annotated

from pydantic import Field

from medrl.sections.base import Positive, Seconds, Section


class PagesConfig(Section):
    """Of each page, which is never trusted."""

    timeout_s: Seconds = Field(20.0, description="to fetch it, all attempts and redirects together")
    attempts: Positive = Field(3, description="tries, while `timeout_s` lasts")
    backoff_s: Annotated[float, Field(ge=0)] = Field(
        0.5, description="wait before the second attempt, doubled each time up to 60, half of it by chance"
    )
    most_redirects: Annotated[int, Field(ge=0)] = Field(
        4, description="redirects that are followed; each address is checked again"
    )
    most_bytes: Positive = Field(10_000_000, description="longest page, as it was sent and unfolded")
    parse_s: Seconds = Field(10.0, description="to read its text, in a process of its own")
    parse_bytes: Positive = Field(500_000_000, description="memory of that process")
    most_sheets: Positive = Field(60, description="of a PDF, those that are read")
    most_sections: Positive = Field(400, description="of its text, those that are kept")
    section_letters: Annotated[int, Field(ge=100)] = Field(400, description="longest section")
