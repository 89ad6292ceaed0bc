import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.network.replies import Meaning, Reply, meaning, read_reply, remedy


def body(**choice: object) -> bytes:
    return json.dumps({"choices": [choice, {"message": {"content": "the second"}}], "usage": {"total": 3}}).encode()


def test_the_first_choice_is_read() -> None:
    assert read_reply(body(message={"content": " yes\n"}, finish_reason="stop")) == Reply("yes", False)
    assert read_reply(body(message={"content": "ye"}, finish_reason="length")) == Reply("ye", True)
    assert read_reply(body(message={"content": None, "reasoning_content": "Hm."})) == Reply("", False)


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"<html>secret</html>",
        b'{"choices": []}',
        b'{"error": {"message": "secret"}}',
        b'["secret"]',
        b'{"choices": [{"message": {"content": ["secret"]}}]}',
        b'{"choices": [{"message": {"content": "\\ud800"}}]}',  # half of a character, which no file could take
        b'{"choices": [{"message": {"content": "\xff"}}]}',
        b'{"choices": ' + b"[" * 100_000,
        b'{"choices": [{"text": "secret"}]}',
    ],
)
def test_another_body_is_named_and_not_shown(other: bytes) -> None:
    with pytest.raises(ValueError, match="^not a chat completion: ") as caught:
        read_reply(other)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


@given(
    st.one_of(st.binary(), st.recursive(st.none() | st.text(), st.lists).map(lambda value: json.dumps(value).encode()))
)
def test_any_bytes_are_a_reply_or_a_value_error(other: bytes) -> None:
    with pytest.raises(ValueError, match="not a chat completion"):
        read_reply(other)


def test_what_each_status_means() -> None:
    by_meaning: dict[Meaning, set[int]] = {each: set() for each in Meaning}
    for code in (200, 301, 307, 308, 400, 401, 402, 403, 404, 405, 408, 413, 422, 425, 429, 500, 502, 503, 529):
        by_meaning[meaning(code)].add(code)
    assert by_meaning == {
        Meaning.ANSWERED: {200},
        Meaning.PASSING: {408, 425, 429, 500, 502, 503, 529},
        Meaning.REFUSED: {400, 413, 422},
        Meaning.MISCONFIGURED: {301, 307, 308, 401, 402, 403, 404, 405},
    }


def test_the_remedy_goes_by_whether_there_is_a_key() -> None:
    assert "put one into the environment as MY_KEY" in remedy(401, "MY_KEY", key_is_set=False)
    assert "does not take the key in MY_KEY" in remedy(401, "MY_KEY", key_is_set=True)
    assert "mend model, or url" in remedy(404, "MY_KEY", key_is_set=True)
    assert "set url" in remedy(302, "MY_KEY", key_is_set=True)
