"""The DeepSpeed configuration, as a pure function of ours."""

from typing import Any

from medrl.config import Config


def deepspeed_config(config: Config) -> dict[str, Any]:
    """What `deepspeed.initialize` is given.

    - Stages 0 and 1 both run as ZeRO-1. DeepSpeed's own stage 0 adds up bf16 gradients in bf16, so that the gradient
      would depend on the micro-batch split; its ZeRO-1 keeps them in float32, and with one rank it shards nothing.
    - `managed_gradient_accumulation` off: `step()` is the boundary, whatever the number of micro-batches before it.
    - torch's fused AdamW, on CPU and on GPU: one pass over the state, and nothing to compile.
    - Learning rate and weight decay are set at every step by the learner.
    """
    stage = max(1, config.learner.zero_stage)
    zero: dict[str, Any] = {"stage": stage, "overlap_comm": False, "reduce_scatter": config.device == "cuda"}
    if stage == 3:
        zero |= {"stage3_param_persistence_threshold": 0, "stage3_gather_16bit_weights_on_model_save": False}
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "managed_gradient_accumulation": False,
        "gradient_clipping": config.learner.max_grad_norm,
        "bf16": {"enabled": config.model.dtype == "bfloat16"},
        "data_types": {"grad_accum_dtype": "fp32"},
        "communication_data_type": "fp32",
        "optimizer": {
            "type": "AdamW",
            "params": {
                "lr": 0.0,
                "betas": [0.9, 0.999],
                "eps": 1e-8,
                "weight_decay": 0.0,
                "torch_adam": True,
                "fused": True,
            },
        },
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 2**31,
        "wall_clock_breakdown": False,
    }
