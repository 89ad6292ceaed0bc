"""Language models behind OpenAI-compatible endpoints."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from medrl.sections.base import Positive, Seconds, Section
from medrl.sections.network import split_address

LONGEST_WAIT_S = 60.0
"""Between two attempts at an endpoint, whatever it asks for."""
ASKING = frozenset(("url", "timeout_s", "attempts", "backoff_s", "concurrency", "key_variable"))
"""Settings of how a model is asked, which are not of what it answers."""


class EndpointConfig(Section):
    """A language model behind an OpenAI-compatible chat endpoint. The key itself is never a setting."""

    url: str = Field(description="ends before /chat/completions, e.g. http://127.0.0.1:8000/v1")
    model: str = Field(min_length=1, description="its name, as the endpoint calls it")
    timeout_s: Seconds = Field(60.0, description="one attempt, from connecting to the last byte")
    attempts: Positive = Field(4, description="tries at one request, before its item is set aside")
    backoff_s: Annotated[float, Field(ge=0)] = Field(
        1.0, description="wait before the second attempt, doubled each time up to 60, half of it by chance"
    )
    concurrency: Positive = Field(8, description="requests under way at once")
    temperature: Annotated[float, Field(ge=0)] = Field(0.7, description="of its sampling; 0: greedy")
    max_tokens: Positive = Field(1024, description="one reply, tokens")
    key_variable: str | None = Field(
        None,
        description="environment variable that holds the key; null: OPENAI_API_KEY for api.openai.com, none for others",
    )
    limit_name: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="how the endpoint calls the limit of a reply"
    )

    # For the whole section: the message of a validator of one field would show what was set, perhaps a password.
    @model_validator(mode="after")
    def _no_secrets(self) -> "EndpointConfig":
        if self.key_variable is not None and not re.fullmatch("[A-Z_][A-Z0-9_]*", self.key_variable):
            raise ValueError(
                "key_variable is the name of an environment variable in capitals, such as OPENAI_API_KEY, not the key"
            )
        address = split_address(self.url)
        if address.username is not None or address.password is not None:
            raise ValueError(
                "url holds a user name or password: leave it out, put the key into the environment, and name the "
                "variable in key_variable"
            )
        if address.query or address.fragment:
            raise ValueError(
                "url has a part after ? or #: leave it out; a key belongs into the environment, see key_variable"
            )
        return self

    @property
    def host(self) -> str:
        """Host and port, what may be shown of the address."""
        return urlsplit(self.url).netloc

    @property
    def key_from(self) -> str | None:
        """The environment variable that holds the key, if one is to be sent."""
        return self.key_variable or ("OPENAI_API_KEY" if self.host == "api.openai.com" else None)

    @property
    def longest_s(self) -> float:
        """The most that one request takes, all attempts and the waits between them, seconds."""
        return self.attempts * self.timeout_s + (self.attempts - 1) * LONGEST_WAIT_S


class JudgeConfig(EndpointConfig):
    """The judge: one rating at temperature 0, short, of several episodes at once."""

    concurrency: Positive = Field(16, description="episodes judged at once")
    temperature: Annotated[float, Field(ge=0)] = Field(0.0, description="of its sampling; 0: greedy")
    max_tokens: Positive = Field(256, description="one reply, tokens")
