"""What surrounds the tests of an endpoint: a key that is in the environment and must not be in the logs."""

import logging

import pytest

from tests.envs.asking import KEY


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def no_key_in_logs(caplog: pytest.LogCaptureFixture) -> object:
    caplog.set_level(logging.DEBUG)
    yield
    assert KEY not in caplog.text
