"""The stages of a run, in order:

    knowledge -> data (-> quality) -> eval_base -> sft -> eval_sft -> grpo -> eval_rl -> report

`launch.pipeline` does them; their names are here, to be had at once.
"""

_DATA = ("knowledge", "data")
SYNTHESIZE = (*_DATA, "quality")
FINETUNE = (*_DATA, "sft")
TRAIN = (*FINETUNE, "grpo")
EVALUATE = (*TRAIN, "eval_base", "eval_sft", "eval_rl", "report")
QUICKSTART = (*_DATA, "eval_base", "sft", "eval_sft", "grpo", "eval_rl", "report")
