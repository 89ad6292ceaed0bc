from pathlib import Path

import pytest

from medrl import precision
from medrl.config import Config, load, parse

EPYC_2 = "processor\t: 0\nflags\t\t: fpu avx avx2 fma sse4_2\n\nprocessor\t: 1\nflags\t\t: fpu avx512_bf16\n"
XEON_4 = "processor\t: 0\nmodel name\t: bf16\nflags\t\t: fpu avx512f avx512_bf16 amx_bf16 amx_tile\n"
GRAVITON = "processor\t: 0\nBogoMIPS\t: 2100.00\nFeatures\t: fp asimd sve bf16 i8mm\n"


@pytest.fixture(params=[(EPYC_2, "float32"), (XEON_4, "bfloat16"), (GRAVITON, "bfloat16"), ("", "float32")])
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The type that is fast on a processor which this machine now pretends to have."""
    cpuinfo, fast = request.param
    monkeypatch.setattr(precision, "_processor_flags", lambda: precision.flags(cpuinfo))
    return str(fast)


def test_auto_is_settled_by_the_processor_and_kept(processor: str, tmp_path: Path) -> None:
    for values in ({}, {"model": {}}, {"model": {"dtype": "auto", "max_length": 100}}, {"device": "cpu"}):
        settled = parse({"name": "t"} | values, "the test")
        assert settled.model.dtype == processor
        assert settled.model.max_length == values.get("model", {}).get("max_length", 1536)
    assert Config(name="t").model.dtype == processor
    held = tmp_path / "config.yaml"
    held.write_text(parse({"name": "t"}, "the test").to_yaml())
    assert f"dtype: {processor}" in held.read_text()
    assert load(held, ("model.dtype=auto",)).model.dtype == processor


def test_a_type_that_is_asked_for_is_taken(processor: str) -> None:
    for asked in ("bfloat16", "float32"):
        assert parse({"name": "t", "model": {"dtype": asked}}, "the test").model.dtype == asked


def test_gpus_take_bfloat16(processor: str) -> None:
    assert parse({"name": "t", "device": "cuda"}, "the test").model.dtype == "bfloat16"


def test_a_run_goes_on_on_another_processor_as_it_began(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(precision, "_processor_flags", lambda: precision.flags(XEON_4))
    (tmp_path / "config.yaml").write_text(parse({"name": "t"}, "the test").to_yaml())
    monkeypatch.setattr(precision, "_processor_flags", lambda: precision.flags(EPYC_2))
    assert load(tmp_path / "config.yaml").model.dtype == "bfloat16"
