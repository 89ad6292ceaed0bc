"""The sweeps that come with medrl, by name."""

from pathlib import Path

from medrl.errors import ConfigError

FOLDER = Path(__file__).parent


def sweep_names() -> list[str]:
    """The sweeps that come with medrl."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find_sweep(name: str) -> Path:
    """A shipped sweep's file, or the file at the path `name`. Raises ConfigError listing the sweeps there are."""
    if name in sweep_names():
        return FOLDER / f"{name}.yaml"
    path = Path(name).expanduser()
    if path.is_file():
        return path
    raise ConfigError(f"no sweep {name!r}: give one of {', '.join(sweep_names())}, or the path of a YAML file")
