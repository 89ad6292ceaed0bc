import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from launch.recipe import load_recipe
from launch.run_files import read_metrics
from launch.web.dashboard import Dashboard, routes
from launch.web.server import application
from medrl.records import read_jsonl, write_text
from medrl.types import Rollout
from tests.launch.web.live_run import groups_of, log_step, write_live_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_live_run(tmp_path / "run")


@pytest.fixture
def client(run: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Indexes before it answers, so that tests need not wait."""
    monkeypatch.setattr("launch.web.episodes.EpisodeIndex.refresh", lambda index: index.update())
    return TestClient(application(routes(run)), base_url="http://127.0.0.1:1")


def get(client: TestClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_live_brings_what_is_new(client: TestClient, run: Path) -> None:
    first = get(client, "/api/live?generation=0&since=0")
    assert first["metrics"]["lines"] == read_metrics(run)
    assert first["parts"] == ["grpo-0002", "grpo-0001", "grpo-0000", "rl", "sft"]
    assert first["indexed"]["episodes"] == 24 + 3 * 24 + 24
    assert first["standing"]["step"] == 20 and first["standing"]["total"] == 40
    assert not first["working"] and first["problems"] == [] and first["health"] is None
    log_step(run, 20, 0.875)
    with (run / "trajectories" / "rl.jsonl").open("a") as file:
        file.write("{}\n")
    count = len(first["metrics"]["lines"])
    second = get(client, f"/api/live?generation=0&since={count}")
    assert [line["rollout/pass_rate"] for line in second["metrics"]["lines"]] == [0.875]
    assert second["num_problems"] == 1 and second["problems"][0]["line"] == 25


def test_an_empty_directory_is_a_run_that_has_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launch.web.episodes.EpisodeIndex.refresh", lambda index: index.update())
    client = TestClient(application(routes(tmp_path / "later")), base_url="http://127.0.0.1:1")
    live = get(client, "/api/live")
    assert live["metrics"]["lines"] == [] and live["parts"] == [] and live["standing"]["stage"] is None
    assert get(client, "/api/groups")["rows"] == []
    assert get(client, "/api/parts")["all"]["pass_rate"] is None
    assert get(client, "/api/run")["settings"] is None


def test_figures_of_a_part_are_those_of_its_episodes(client: TestClient, run: Path) -> None:
    """Summed up once more, in plain loops, from the file."""
    figures = get(client, "/api/parts")["parts"]["grpo-0001"]
    episodes = list(read_jsonl(run / "trajectories" / "grpo-0001.jsonl", Rollout))
    rewards = [episode.reward for episode in episodes if episode.reward is not None]
    assert figures["episodes"] == 24 and figures["groups"] == 6
    assert figures["reward"]["total"] == pytest.approx(sum(each.total for each in rewards) / 24)
    assert figures["reward"]["efficiency"] == pytest.approx(sum(each.efficiency for each in rewards) / 24)
    by_question: dict[str, list[float]] = {}
    for episode, reward in zip(episodes, rewards, strict=True):
        by_question.setdefault(episode.question_id, []).append(reward.task)
    assert figures["mixed"] == sum(0 < sum(tasks) < len(tasks) for tasks in by_question.values()) > 0
    calls = [step for episode in episodes for step in episode.steps if step.call is not None]
    tool = figures["tools"]["medical_retriever"]
    assert tool["calls"] == len(calls)
    assert tool["error_rate"] == pytest.approx(sum(step.status == "mistake" for step in calls) / len(calls))
    assert tool["latency_p95"] == pytest.approx(np.quantile([step.latency_s for step in calls], 0.95))


def test_with_a_kl_term_no_group_is_left_out(client: TestClient, run: Path) -> None:
    config = load_recipe("quickstart", [f"run_dir={run}", "grpo.kl=0.1"])
    write_text(run / "config.yaml", config.to_yaml())
    assert not get(client, "/api/group?part=grpo-0001&question=q006")["left_out"]  # all four are wrong


def test_a_group_brings_its_episodes_without_their_tokens(client: TestClient) -> None:
    group = get(client, "/api/group?part=grpo-0001&question=q008")
    episodes = [each for each in groups_of(1) if each.question_id == "q008"]
    assert group["question"]["answer"] == "ATP7B" and not group["left_out"]
    assert get(client, "/api/group?part=grpo-0001&question=q006")["left_out"]  # all four are wrong
    assert [episode["sample"] for episode in group["episodes"]] == [0, 1, 2, 3]
    for found, episode in zip(group["episodes"], episodes, strict=True):
        assert found["answer"] == episode.answer and len(found["steps"]) == len(episode.steps)
        assert found["tokens"] == len(episode.token_ids) and "token_ids" not in found
        assert found["state"]["hypotheses"][0]["status"] == "confirmed"
    rewards = [each.reward.total for each in episodes if each.reward is not None]
    assert [each["advantage"] for each in group["episodes"]] == pytest.approx(
        [reward - sum(rewards) / 4 for reward in rewards]
    )


def test_tokens_with_what_the_learner_recorded(client: TestClient, run: Path) -> None:
    recorded = get(client, "/api/tokens?part=grpo-0000&question=q002&sample=3")
    episode = next(each for each in groups_of(0) if (each.question_id, each.sample) == ("q002", 3))
    assert recorded["recorded"] and recorded["advantage"] == 0.375 and recorded["notes"] == []
    assert recorded["ids"] == episode.token_ids and recorded["mask"] == episode.action_mask
    written = "".join(text for text, acted in zip(recorded["texts"], recorded["mask"], strict=True) if acted)
    assert written == "".join(step.text for step in episode.steps)
    unrecorded = get(client, "/api/tokens?part=grpo-0001&question=q008&sample=3")
    assert not unrecorded["recorded"] and unrecorded["ratio"] is None
    (run / "trajectories" / "grpo-0001.tokens.jsonl").write_text(
        json.dumps({"question_id": "q008", "sample": 3, "advantage": 0.5, "logprobs": [-1.0]}) + "\n"
    )
    (run / "checkpoints" / "sft" / "tokenizer.json").unlink()
    broken = get(client, "/api/tokens?part=grpo-0001&question=q008&sample=3")
    assert broken["ratio"] is None and "1 log-probs of the learner" in broken["notes"][0]
    assert broken["advantage"] == unrecorded["advantage"]


def test_without_a_tokenizer_tokens_come_as_numbers(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launch.web.episodes.EpisodeIndex.refresh", lambda index: index.update())
    (run / "checkpoints" / "sft" / "tokenizer.json").unlink()
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("path: smollm2-135m", "path: /no/such/model"))
    client = TestClient(application(routes(run)), base_url="http://127.0.0.1:1")
    found = get(client, "/api/tokens?part=grpo-0000&question=q002&sample=0")
    assert found["texts"] is None and "/no/such/model: no such folder" in found["notes"][0]


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/api/groups?hops=two", 400, "hops=two: not a number"),
        ("/api/groups?result=good", 400, "correct, wrong, mixed"),
        ("/api/group?part=grpo-0001&question=none", 404, "No episode in grpo-0001 is about a question none."),
        ("/api/group?part=../../etc&question=x", 404, "This run has no part ../../etc."),
        ("/api/tokens?part=grpo-0001&question=q008&sample=9", 404, "no sample 9"),
    ],
)
def test_what_cannot_be_answered_is_said(client: TestClient, path: str, code: int, words: str) -> None:
    answer = client.get(path)
    assert answer.status_code == code and words in answer.text


def test_a_part_replaced_while_it_is_read_is_asked_for_again(
    client: TestClient, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(client, "/api/live")
    (run / "trajectories" / "rl.jsonl").write_text("")
    answer = client.get("/api/group?part=rl&question=q001")
    assert answer.status_code == 409 and "ask again" in answer.text


def test_nothing_is_written_into_the_run(run: Path) -> None:
    def listed() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in run.rglob("*")}

    before = listed()
    client = TestClient(application(routes(run)), base_url="http://127.0.0.1:1")
    for path in ("/", "/api/run", "/api/live", "/api/parts", "/api/groups?q=documents"):
        assert client.get(path).status_code == 200
    assert listed() == before


def test_the_index_is_begun_before_anyone_asks(run: Path) -> None:
    dashboard = Dashboard(run)
    thread = dashboard._index._thread
    assert thread is not None
    thread.join()
    assert dashboard._index.progress()[0] > 0
