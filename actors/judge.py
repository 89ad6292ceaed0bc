"""The client of an OpenAI-compatible judge. Prompts and parsing are pure (`medrl.judge`); this sends them."""

import os
import time

import httpx

from medrl.errors import ConfigError, InfrastructureError
from medrl.judge import parse_rating, render_rating
from medrl.sections import RewardConfig
from medrl.types import Question, Rollout

ATTEMPTS = 3
RETRY_AFTER_S = 2.0
KEY_VARIABLE = "OPENAI_API_KEY"


class ExpertJudge:
    """Rates an episode in [0, 1]. The key comes from the environment (OPENAI_API_KEY) and is never written anywhere."""

    def __init__(self, config: RewardConfig, client: httpx.Client | None = None) -> None:
        """`config.judge_url` ends before /chat/completions, e.g. http://127.0.0.1:8000/v1."""
        if config.judge_url is None or config.judge_model is None:
            raise ConfigError("reward.judge_url and reward.judge_model are both needed to ask a judge")
        self._url = config.judge_url.rstrip("/") + "/chat/completions"
        self._model = config.judge_model
        key = os.environ.get(KEY_VARIABLE)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = client or httpx.Client(timeout=config.judge_timeout_s)
        self._client.headers.update(headers)

    def __call__(self, question: Question, rollout: Rollout) -> float:
        """Ask, up to three times. Raises InfrastructureError when no readable rating comes: nothing is guessed."""
        messages = [{"role": m.role, "content": m.content} for m in render_rating(question, rollout)]
        failure = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(RETRY_AFTER_S * attempt)
            try:
                # Asked again just so, a model would most likely say the same again.
                reply = self._ask(messages, temperature=0.7 if attempt else 0.0)
            except httpx.HTTPStatusError as error:
                failure = f"HTTP status {error.response.status_code}"
                continue
            except (httpx.HTTPError, LookupError, TypeError, ValueError) as error:
                failure = f"{type(error).__name__}: {error}"
                continue
            rating = parse_rating(reply)
            if rating is not None:
                return rating
            failure = f"no rating in the reply {reply[:80]!r}"
        host = httpx.URL(self._url).host  # the whole address may hold a password
        raise InfrastructureError(f"judge {self._model} at {host}: {failure} ({ATTEMPTS} attempts)")

    def _ask(self, messages: list[dict[str, str]], temperature: float) -> str:
        body = {"model": self._model, "messages": messages, "temperature": temperature, "max_tokens": 256}
        response = self._client.post(self._url, json=body)
        response.raise_for_status()
        return str(response.json()["choices"][0]["message"]["content"])
