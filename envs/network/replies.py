"""What an OpenAI-compatible endpoint answers: the meaning of a status, and the text in a body. No network here."""

from enum import Enum
from typing import NamedTuple

from pydantic import BaseModel, Field, ValidationError


class Meaning(Enum):
    """What a status says about the request."""

    ANSWERED = "answered"
    PASSING = "the same request may be answered later"
    REFUSED = "this request will never be answered, another one may be"
    MISCONFIGURED = "no request will be answered"


def meaning(status: int) -> Meaning:
    """Of an HTTP status. A redirect is not followed, as the key would go along."""
    if 200 <= status < 300:
        return Meaning.ANSWERED
    if status in (408, 425, 429) or status >= 500:
        return Meaning.PASSING
    return Meaning.REFUSED if status in (400, 413, 422) else Meaning.MISCONFIGURED


def remedy(status: int, key_variable: str | None, key_is_set: bool) -> str:
    """What to do about a status that means MISCONFIGURED."""
    if status < 400:
        return "it sends requests elsewhere, where the key must not go: set url to the address that answers itself"
    if status in (401, 403) and key_variable is None:
        return "it wants a key: put one into the environment, and name the variable in key_variable"
    if status in (401, 403) and not key_is_set:
        return f"it wants a key: put one into the environment as {key_variable}, or set key_variable to where it is"
    if status in (401, 403):
        return f"it does not take the key in {key_variable}: put the right one there, or mend key_variable"
    if status in (404, 405, 410):
        return "no such model or address: mend model, or url, which ends before /chat/completions"
    return "mend url, model or the account there"


class Reply(NamedTuple):
    """`text`: what the model said, without blanks around it, or nothing. `cut_off`: it was stopped at max_tokens."""

    text: str
    cut_off: bool


class _Message(BaseModel):
    content: str | None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


def read_reply(body: bytes) -> Reply:
    """The first choice of a chat completion. Raises ValueError, one line that shows nothing of it, on another body."""
    try:
        choice = _Completion.model_validate_json(body).choices[0]
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"not a chat completion: {where + ': ' if where else ''}{first['msg']}") from None
    return Reply((choice.message.content or "").strip(), choice.finish_reason == "length")
