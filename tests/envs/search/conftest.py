"""What the tests of providers share: keys in the environment, which no log may show."""

import logging
from collections.abc import Iterator

import pytest

from tests.envs.asking import KEY


@pytest.fixture(autouse=True)
def _no_key_in_logs(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ("SERPER_API_KEY", "TAVILY_API_KEY"):
        monkeypatch.setenv(variable, KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    caplog.set_level(logging.DEBUG)
    yield
    assert KEY not in caplog.text
