"""`medrl export` and `medrl import`: datasets in other projects' formats (`kisa.formats`), file to file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from transformers import AutoTokenizer

from envs.toolbox import SIGNATURES
from kisa.dataset import Dataset, load_dataset
from kisa.formats.messages import messages_line, read_messages
from kisa.formats.qa import qa_line, read_qa
from kisa.formats.webshaper import webshaper_line
from launch.model import resolve_model
from medrl.chat import ChatCodec, system_prompt
from medrl.config import Config
from medrl.errors import DataError
from medrl.progress import tracked
from medrl.records import to_jsonl, write_text

T = TypeVar("T")


def export_dataset(config: Config, recipe: str, form: str, to: str | None) -> Path:
    """Write the dataset of a run as `form`: qa, messages or webshaper; to <form>.jsonl beside the questions if `to` is
    None. Returns the file. Raises DataError, ConfigError."""
    folder = config.data_path
    if not (folder / "questions.jsonl").exists():
        raise DataError(f"{folder} holds no questions yet: `medrl synthesize {recipe}`, with its settings, writes them")
    data = load_dataset(folder)
    path = Path(to).expanduser() if to else folder / f"{form}.jsonl"
    size = len(data.trajectories) if form == "messages" else len(data.train) + len(data.heldout)
    _write({path: to_jsonl(_progress(_lines(config, data, form), form, size))})
    return path


def _lines(config: Config, data: Dataset, form: str) -> Iterator[dict[str, Any]]:
    questions = {question.id: question for question in (*data.train, *data.heldout)}
    if form == "qa":
        yield from (qa_line(question, config.name) for question in questions.values())
    elif form == "webshaper":
        yield from map(webshaper_line, questions.values())
    else:
        codec, system = _codec(config), system_prompt(SIGNATURES)
        for rollout in data.trajectories:
            if rollout.question_id not in questions:
                raise DataError(
                    f"{config.data_path}: trajectories.jsonl has {rollout.question_id}, questions.jsonl not"
                )
            yield messages_line(questions[rollout.question_id], rollout, codec, system)


def import_questions(file: Path, to: Path) -> str:
    """Read a qa file into the folder `to`: our questions to questions.jsonl, those without a proof of ours to
    unproved.jsonl. Returns what was written, in words. Raises DataError."""
    items = list(_progress(read_qa(file), "qa"))
    proved = [item.question for item in items if item.question is not None]
    unproved = [item for item in items if item.question is None]
    return _write_parts(file, {to / "questions.jsonl": proved, to / "unproved.jsonl": unproved})


def import_trajectories(file: Path, config: Config, to: Path) -> str:
    """Read a messages file into trajectories.jsonl in the folder `to`, in the tokens of the recipe's model.

    Returns what was written, in words. Raises DataError, ConfigError.
    """
    rollouts = read_messages(file, _codec(config), config.env.observation_tokens, config.model.max_length)
    return _write_parts(file, {to / "trajectories.jsonl": list(_progress(rollouts, "messages"))})


def _codec(config: Config) -> ChatCodec:
    model = resolve_model(config.model, Path(config.knowledge.cache))
    return ChatCodec(AutoTokenizer.from_pretrained(model))


def _progress(lines: Iterator[T], form: str, total: int | None = None) -> Iterator[T]:
    return tracked(lines, form, total, "line")


def _write_parts(file: Path, parts: Mapping[Path, list[Any]]) -> str:
    parts = {path: items for path, items in parts.items() if items}
    if not parts:
        raise DataError(f"{file} is empty: there is nothing to import")
    _write({path: to_jsonl(items) for path, items in parts.items()})
    return "\n".join(f"{path}: {len(items)}" for path, items in parts.items())


def _write(files: Mapping[Path, str]) -> None:
    """All of `files`, or none if one of them is there with something else in it: that is somebody's work."""
    path = None
    try:
        for path, text in files.items():
            if path.exists() and path.read_bytes() != text.encode("utf-8"):
                raise DataError(f"{path} is there and holds something else: give another --to, or delete it")
        for path, text in files.items():
            write_text(path, text)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}): give another --to") from error
