import pytest

from actors.deepspeed_config import deepspeed_config
from medrl.config import parse


@pytest.mark.parametrize(("stage", "expected"), [(0, 1), (1, 1), (2, 2), (3, 3)])
def test_gradients_add_up_in_float32_at_every_stage(stage: int, expected: int) -> None:
    settings = deepspeed_config(parse({"name": "t", "learner": {"zero_stage": stage}}, "test"))
    assert settings["zero_optimization"]["stage"] == expected
    assert settings["data_types"]["grad_accum_dtype"] == "fp32"
    assert settings["communication_data_type"] == "fp32"


def test_the_caller_owns_the_step_and_the_norm_is_clipped() -> None:
    settings = deepspeed_config(parse({"name": "t", "learner": {"max_grad_norm": 0.3}}, "test"))
    assert settings["managed_gradient_accumulation"] is False
    assert settings["gradient_clipping"] == 0.3


@pytest.mark.parametrize(("dtype", "bf16"), [("bfloat16", True), ("float32", False)])
def test_bf16_is_on_where_the_model_is_in_it(dtype: str, bf16: bool) -> None:
    settings = deepspeed_config(parse({"name": "t", "model": {"dtype": dtype}}, "test"))
    assert settings["bf16"]["enabled"] is bf16
