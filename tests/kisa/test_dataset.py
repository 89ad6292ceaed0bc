import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kisa import workshop
from kisa.dataset import _significant, load_dataset, synthesize
from kisa.documents import medical_documents
from kisa.entities import count_mentions
from kisa.graph import KnowledgeGraph
from kisa.knowledge import build_knowledge, knowledge_path, load_frequencies
from kisa.proofs import flaw
from kisa.selection import Selection, quotas
from kisa.splits import assign_splits, shared_entities
from medrl.config import Config
from medrl.errors import DataError
from medrl.sections.endpoint import EndpointConfig
from medrl.sections.kisa import KisaConfig
from medrl.types import Ending, Entity, Question, Relation, Rollout
from tests import fakes
from tests.kisa.library import open_library
from tests.misbehaving import Asked, Behaviour, MisbehavingServer, says, status
from tests.tiny import tiny_tokenizer


def _config(folder: Path, cache: Path, **kisa: Any) -> Config:
    return Config.model_validate(
        {
            "name": "test",
            "seed": 3,
            "model": {"max_length": 9000},  # the test's tokenizer has a token for each byte
            "env": {"max_turn_tokens": 400, "observation_tokens": 900},
            "knowledge": {"ontology": str(folder), "cache": str(cache)},
            "kisa": {
                "train_questions": 3,
                "heldout_questions": 1,
                "rare_percentile": 100,
                "heldout_fraction": 0.5,
                "hop_shares": {2: 0.5, 3: 0.25, 4: 0.25},
                "differential_fraction": 0.0,
                "refuse_one_search": False,  # in so small a corpus one search shows everything
            }
            | kisa,
        }
    )


def test_quotas_follow_the_shares_and_lose_no_question() -> None:
    config = KisaConfig()
    assert quotas(config, 1200) == {2: 480, 3: 420, 4: 300}
    for total in range(1, 50):
        assert sum(quotas(config, total).values()) == total
    assert quotas(KisaConfig(max_hops=3), 75) == {2: 40, 3: 35}
    with pytest.raises(ValueError, match="hop_shares gives no share"):
        KisaConfig(min_hops=5, max_hops=5)


def test_knowledge_is_built_once_and_whole(folder: Path, tmp_path: Path, graph: KnowledgeGraph) -> None:
    config = _config(folder, tmp_path / "cache").knowledge
    built = build_knowledge(config)
    assert built == knowledge_path(config)
    names = {"corpus.jsonl", "web.jsonl", "profiles.jsonl", "findings.jsonl", "frequencies.json"}
    assert {path.name for path in built.iterdir()} == names
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in built.iterdir()}
    assert build_knowledge(config) == built
    assert before == {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in built.iterdir()}
    assert load_frequencies(built) == count_mentions(graph, medical_documents(graph))
    assert not list(built.parent.glob(".*"))
    (built / "frequencies.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="delete"):
        load_frequencies(built)
    other = folder / "hp.obo"
    other.write_bytes(other.read_bytes() + b"\n")
    assert knowledge_path(config) != built


def test_a_failed_build_leaves_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _config(folder, tmp_path / "cache").knowledge

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("kisa.knowledge.count_mentions", fail)
    with pytest.raises(OSError, match="disk full"):
        build_knowledge(config)
    assert not list((tmp_path / "cache").iterdir())


@pytest.fixture
def written(folder: Path, tmp_path: Path, graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of the small ontology, made with the library's tools."""
    monkeypatch.setattr(workshop, "open_toolbox", lambda *_, **__: open_library(graph))
    config = _config(folder, tmp_path / "cache")
    knowledge = build_knowledge(config.knowledge)
    counts = synthesize(config, knowledge, tmp_path / "data", tiny_tokenizer())
    again = synthesize(config, knowledge, tmp_path / "again", tiny_tokenizer())
    assert counts == again
    for name in ("questions.jsonl", "trajectories.jsonl"):
        assert (tmp_path / "data" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert counts["train"]["questions"] == 3 and counts["heldout"]["questions"] == 1
    return tmp_path / "data"


def test_the_dataset_is_proved_solved_and_split(written: Path, graph: KnowledgeGraph) -> None:
    data = load_dataset(written)
    assert (len(data.train), len(data.heldout), len(data.trajectories)) == (3, 1, 3)
    assert shared_entities(data.train, data.heldout) == set()
    assert not {question.answer for question in data.train} & {question.answer for question in data.heldout}
    splits = assign_splits(graph, 0.5, 3)
    for question in (*data.train, *data.heldout):
        assert flaw(graph, question) is None
        sides = {splits[entity.id] for entity in question.entities if entity.id in splits}
        assert sides == {question.split}
    assert {rollout.question_id for rollout in data.trajectories} == {question.id for question in data.train}
    by_id = {question.id: question for question in data.train}
    for rollout in data.trajectories:
        assert rollout.ending is Ending.ANSWERED
        assert rollout.answer == by_id[rollout.question_id].answer
        assert not any(rollout.logprobs) and set(rollout.versions) == {-1}
    assert len({question.query for question in data.train}) == 3
    assert max(Counter(question.answer for question in data.train).values()) <= 2


def test_a_refused_answer_is_never_asked_for() -> None:
    selection = Selection("heldout", 2, {"cardiology": {2: 2}}, 0, 0)
    one, other = (fakes.question(answer=answer, split="heldout") for answer in ("FBN1", "ATM"))
    assert selection.may_take(one)
    selection.refuse({"FBN1"})
    assert not selection.may_take(one) and selection.may_take(other)


def test_reading_back_gives_the_same_questions(written: Path) -> None:
    data = load_dataset(written)
    lines = (written / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    question = data.train[0]
    assert first["query"] == [list(question.query[0]), [list(step) for step in question.query[1]]]
    assert hash(question.query) == hash(load_dataset(written).train[0].query)


def test_too_few_chains_are_said_with_what_to_change(
    folder: Path, tmp_path: Path, graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "open_toolbox", lambda *_, **__: open_library(graph))
    config = _config(folder, tmp_path / "cache", train_questions=50)
    with pytest.raises(DataError, match="of 50 train questions.*lower kisa.train_questions"):
        synthesize(config, build_knowledge(config.knowledge), tmp_path / "data", tiny_tokenizer())
    assert not (tmp_path / "data" / "questions.jsonl").exists()


def test_with_the_real_tools(folder: Path, tmp_path: Path) -> None:
    """Index, encoder and engine as they are: the whole synthesis on the small ontology."""
    config = _config(folder, tmp_path / "cache")
    knowledge = build_knowledge(config.knowledge)
    counts = synthesize(config, knowledge, tmp_path / "data", tiny_tokenizer())
    assert counts["train"]["questions"] == 3
    assert counts["train"]["calls_per_trajectory"] >= 2


def test_each_specialty_has_numbers_of_its_own_until_they_are_opened() -> None:
    selection = Selection("train", 4, {"cardiology": {2: 1, 3: 1}, "neurology": {2: 1, 3: 1}}, 0, 0)

    def asked(number: int, hops: int, specialty: str = "cardiology") -> Question:
        query = ((f"HP:{number}",), (("presents_in", "", ""),))
        ends = (Entity(f"HP:{number}", "a finding", "phenotype"), Entity(f"OMIM:{number}", "a disease", "disease"))
        relations = (Relation(ends[0], "presents_in", ends[1]),)
        fields = {"hops": hops, "specialty": specialty, "query": query, "relations": relations}
        return fakes.question(id=str(number), answer=str(number), **fields)

    def take(question: Question) -> bool:
        allowed = selection.may_take(question)
        if allowed:
            selection.take(question, Rollout(question.id, 0, [], [], [], [], [], Ending.ANSWERED, question.answer))
        return allowed

    assert take(asked(0, 2)) and not take(asked(1, 2)) and not take(asked(2, 4))
    assert selection.wanted("cardiology").hops == {3} and selection.wanted("neurology").hops == {2, 3}
    assert selection.is_spent("HP:0") and not selection.is_spent("HP:9")
    selection.open_lengths(2, 2)
    assert not selection.is_spent("HP:0")
    assert not take(asked(3, 3)) and take(asked(3, 2)) and selection.has_enough("cardiology")
    selection.open_lengths(2, 2)  # once more: the same questions are missing
    assert not take(asked(4, 2)) and take(asked(5, 2, "neurology")) and not selection.has_enough("neurology")
    selection.open_specialties(3)
    assert take(asked(6, 3)) and selection.missing == 0 and not take(asked(7, 3))


def test_language_models_word_try_and_judge_a_dataset(
    folder: Path, tmp_path: Path, graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of three rare entities mean something, wordings are taken, what the solver knows is made harder; a server
    that fails every other time changes nothing."""
    monkeypatch.setattr(workshop, "open_toolbox", lambda *_, **__: open_library(graph))
    knowledge = build_knowledge(_config(folder, tmp_path / "cache").knowledge)
    refused = {"HP:1000001"}
    count = Counter[str]()

    def behave(asked: Asked) -> Behaviour:
        count["asked"] += 1
        task, said = asked.body["messages"][0]["content"], asked.question
        if count["asked"] % 2:
            return status(503)
        if task.startswith("You check"):
            return says("NO" if any(f"({each})" in said for each in refused) else "YES")
        if task.startswith("You reword"):
            return says(f"A colleague asks: {said.partition('Question: ')[2]}")
        return says("Alpha disease")  # the solver's one answer

    def made(server: MisbehavingServer | None, name: str) -> tuple[dict[str, Any], Path]:
        model = {"url": server.url, "model": "m", "backoff_s": 0.0, "concurrency": 1} if server else None
        asked = {"significance": model, "wording": model, "solvers": [model], "regenerations": 1} if model else {}
        config = _config(folder, tmp_path / "cache", **asked)
        return synthesize(config, knowledge, tmp_path / name, tiny_tokenizer()), tmp_path / name

    with MisbehavingServer(behave) as server:
        counts, out = made(server, "asked")
    plain, _ = made(None, "plain")
    data = load_dataset(out)
    questions = [*data.train, *data.heldout]
    assert counts["difficulty"]["untested"] == 0 and sum(counts["difficulty"].values()) == 4
    assert len(questions) == counts["difficulty"]["kept"]
    assert plain["train"]["questions"] + plain["heldout"]["questions"] == 4
    assert all(question.text.startswith("A colleague asks: ") for question in questions)
    assert all(flaw(graph, question) is None and question.answer != "Alpha disease" for question in questions)
    histories = [json.loads(line) for line in (out / "difficulty.jsonl").read_text().splitlines()]
    again = [history for history in histories if len(history["tries"]) > 1]
    assert again and all(one["hops"] + 1 == two["hops"] for one, two in (history["tries"] for history in again))
    easy = [each for history in histories for each in history["tries"] if each["accuracy"]["m"] >= 0.5]
    assert easy and all(each["answer"] == "Alpha disease" for each in easy)
    by_id = {rollout.question_id: rollout for rollout in data.trajectories}
    assert by_id.keys() == {question.id for question in data.train}
    assert not (out / "set_aside.jsonl").exists() or not (out / "set_aside.jsonl").read_text()


def test_seeds_that_mean_nothing_or_on_which_there_is_no_word_are_left_out(
    tmp_path: Path, graph: KnowledgeGraph
) -> None:
    said = {"HP:1000001": "NO", "OMIM:1": "yes", "OMIM:2": "perhaps"}

    def behave(asked: Asked) -> Behaviour:
        return says(next(word for identifier, word in said.items() if f"({identifier})" in asked.question))

    with MisbehavingServer(behave) as server:
        model = EndpointConfig(url=server.url, model="m", backoff_s=0.0, attempts=2)
        seeds = _significant([graph.entities[each] for each in said], model, tmp_path)
    assert [seed.id for seed in seeds] == ["OMIM:1"]
