import sys
from pathlib import Path

import pytest

from medrl.versions import source_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of its own: some_made_up/__init__.py, one.py, deep/two.py."""
    root = tmp_path / "some_made_up"
    (root / "deep").mkdir(parents=True)
    for name in ("__init__", "one", "deep/__init__", "deep/two"):
        (root / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield root
    for name in [name for name in sys.modules if name.startswith("some_made_up")]:
        del sys.modules[name]


def test_it_changes_with_the_source_it_is_of_and_with_no_other(package: Path) -> None:
    def digests() -> tuple[str, str]:
        return source_digest("some_made_up"), source_digest("some_made_up.one")

    whole, one = digests()
    assert digests() == (whole, one) and whole != one
    (package / "deep" / "two.py").write_text("two = 2\n")
    changed, same = digests()
    assert changed != whole and same == one
    (package / "one.py").write_text("one = 1\n")
    assert digests()[0] not in (changed, whole) and digests()[1] != one
    (package / "deep" / "two.py").rename(package / "two.py")
    assert digests()[0] not in (changed, whole)


def test_a_name_of_nothing_is_no_version() -> None:
    with pytest.raises(ValueError, match="no_such_module_anywhere: no module with source"):
        source_digest("no_such_module_anywhere")
