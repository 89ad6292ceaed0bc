from pathlib import Path

import pytest

from launch.recipe import load_recipe
from launch.rundir import RunDirectory
from medrl import precision
from medrl.config import Config, load, parse
from medrl.errors import ConfigError
from medrl.precision import Precision
from medrl.sections.machines import ModelConfig

EPYC_2 = "processor\t: 0\nflags\t\t: fpu avx avx2 fma sse4_2\n\nprocessor\t: 1\nflags\t\t: fpu avx512_bf16\n"
XEON_4 = "processor\t: 0\nmodel name\t: bf16\nflags\t\t: fpu avx512f avx512_bf16 amx_bf16 amx_tile\n"
GRAVITON = "processor\t: 0\nBogoMIPS\t: 2100.00\nFeatures\t: fp asimd sve bf16 i8mm\n"


@pytest.fixture(params=[(EPYC_2, "float32"), (XEON_4, "bfloat16"), (GRAVITON, "bfloat16"), ("", "float32")])
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Precision:
    """The type that is fast on a processor which this machine now pretends to have."""
    cpuinfo: str
    fast: Precision
    cpuinfo, fast = request.param
    monkeypatch.setattr(precision, "_processor_flags", lambda: precision.flags(cpuinfo))
    return fast


def test_auto_is_settled_by_the_processor_and_kept(processor: Precision, tmp_path: Path) -> None:
    for values in ({}, {"model": {}}, {"model": {"dtype": "auto", "max_length": 100}}, {"device": "cpu"}):
        settled = parse({"name": "t"} | values, "the test")
        assert settled.model.dtype == processor
        assert settled.model.max_length == values.get("model", {}).get("max_length", 1536)
    assert Config(name="t").model.dtype == processor
    given = Config(name="t", model=ModelConfig(max_length=100))
    assert given.model == ModelConfig(dtype=processor, max_length=100)
    held = tmp_path / "config.yaml"
    held.write_text(parse({"name": "t"}, "the test").to_yaml())
    assert f"dtype: {processor}" in held.read_text()
    assert load(held, ("model.dtype=auto",)).model.dtype == processor


def test_a_type_that_is_asked_for_is_taken(processor: Precision) -> None:
    for asked in ("bfloat16", "float32"):
        assert parse({"name": "t", "model": {"dtype": asked}}, "the test").model.dtype == asked


def test_gpus_take_bfloat16(processor: Precision) -> None:
    assert parse({"name": "t", "device": "cuda"}, "the test").model.dtype == "bfloat16"


def test_a_run_goes_on_on_another_processor_as_it_began(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(f"name: mine\nrun_dir: {tmp_path / 'run'}\n")
    monkeypatch.setattr(precision, "_processor_flags", lambda: precision.flags(XEON_4))
    RunDirectory(load_recipe(str(recipe))).close()
    monkeypatch.setattr(precision, "_processor_flags", lambda: precision.flags(EPYC_2))
    for name in (str(recipe), str(tmp_path / "run")):
        config = load_recipe(name)
        assert config.model.dtype == "bfloat16"
        RunDirectory(config).close()
    assert load_recipe(str(recipe), [f"run_dir={tmp_path / 'new'}"]).model.dtype == "float32"
    with pytest.raises(ConfigError, match=r"other settings \(model\.dtype\)"):
        RunDirectory(load_recipe(str(recipe), ["model.dtype=float32"]))
