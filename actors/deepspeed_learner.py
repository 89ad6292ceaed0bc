"""One rank of the learner, without Ray: DeepSpeed around `ActionLogProbs`.

    samples of this rank -> micro-batches -> forward, loss, backward -> ... -> one optimiser step

The loss of every micro-batch is a sum over its tokens divided by a denominator of the whole batch, over all ranks; so
the gradient is the same whatever the micro-batch split and the number of ranks.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import deepspeed
import torch
import torch.distributed as dist
from deepspeed.accelerator import get_accelerator
from transformers import AutoModelForCausalLM, AutoTokenizer

from actors.broadcast import Broadcast, Sender, TensorHeader, transport
from actors.checkpoint import replace_folder
from actors.deepspeed_config import deepspeed_config
from actors.optimizer_state import load_state, save_state
from actors.rendezvous import Learnt, Objective, Rendezvous
from actors.sequence_parallel import SplitActionLogProbs, split_attention
from actors.weights import WeightsRef, publish
from medrl.config import Config
from medrl.corrections import correction_of
from medrl.grpo import LossOutput, policy_loss, reduce_stats
from medrl.lora import add_adapters, weights, without_adapters
from medrl.packing import MicroBatch, TrainSample, collate, empty_micro_batch, micro_batches
from medrl.policy import ActionLogProbs, Scores
from medrl.records import writing_tensors
from medrl.seeds import derive_seed
from medrl.sft import nll_loss


class Learner:
    """A rank. Methods marked (collective) must be called on all ranks, in the same order."""

    def __init__(self, config: Config, model: Path, rendezvous: Rendezvous) -> None:
        """(collective) Load the Hugging Face folder `model` and build the optimiser."""
        os.environ.update(rendezvous.environment())
        if config.device == "cpu":
            os.environ["DS_ACCELERATOR"] = "cpu"
            torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))  # as placement has it
        self._config = config
        self._folder = model
        self._rank = rendezvous.rank
        self._sender: Sender | None = None
        self._world_size = rendezvous.world_size
        # Gloo does. Otherwise DeepSpeed compiles a C++ extension at the first start, and ranks spin while they wait.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        deepspeed.init_distributed(
            "nccl" if config.device == "cuda" else "gloo",
            auto_mpi_discovery=False,
            init_method=rendezvous.init_method,
            rank=rendezvous.rank,
            world_size=rendezvous.world_size,
        )
        self._device = torch.device(get_accelerator().current_device_name())
        self._tokenizer = AutoTokenizer.from_pretrained(model)
        network = self._network()
        network.train()
        if config.learner.lora_rank:
            add_adapters(
                network,
                rank=config.learner.lora_rank,
                alpha=config.learner.lora_alpha,
                seed=derive_seed(config.seed, "lora"),
            )
        self._pad_id: int = self._tokenizer.pad_token_id or self._tokenizer.eos_token_id or 0
        self._split = config.learner.sequence_parallel
        self._mpu = split_attention(network, self._split) if self._split > 1 else None
        policy = self._scorer(network, gradient_checkpointing=config.learner.gradient_checkpointing)
        self._engine, *_ = deepspeed.initialize(
            mpu=self._mpu,
            model=policy,
            model_parameters=[parameter for parameter in policy.parameters() if parameter.requires_grad],
            config=deepspeed_config(config),
        )

    def update(
        self,
        samples: Sequence[TrainSample],
        objective: Objective,
        lr: float,
        old_logprobs: Sequence[list[float]] | None = None,
        denominator: float | None = None,
        ref_logprobs: Sequence[list[float]] | None = None,
    ) -> Learnt:
        """(collective) One optimiser step over the samples of all ranks; this rank's are `samples`, the same on ranks
        that share their episodes (learner.sequence_parallel).

        `old_logprobs`: of the weights before this batch's first update, when there are several; None: the current ones,
        so that the ratio is exactly 1. `denominator`: what the loss is averaged over, action tokens for SFT and
        `token_mean`, else episodes; those without advantage, which need not be given, included. None: those given.
        `ref_logprobs`: by `reference_logprobs`, for grpo.kl. The statistics are the same on every rank, the log-probs
        are of this rank's samples.
        """
        started = time.monotonic()
        groups = self._micro_batches(samples)
        num_sequences, num_actions, num_tokens = self._sum(
            [len(samples), sum(s.num_actions for s in samples), sum(len(s.token_ids) for s in samples)]
        )
        if num_actions == 0:
            raise ValueError("no action tokens in this batch: nothing to learn from")
        tokenwise = objective == "sft" or self._config.grpo.aggregation == "token_mean"
        denominator = denominator or (num_actions if tokenwise else num_sequences)
        self._set_optimiser(lr, self._config.sft.weight_decay if objective == "sft" else self._config.grpo.weight_decay)
        totals: dict[str, float] = {"loss": 0.0, "entropy": 0.0}
        logprobs: list[list[float]] = [[] for _ in samples]
        for indices in self._rounds(groups):
            batch = self._batch([samples[i] for i in indices])
            scores = self._engine(
                batch.input_ids, batch.attention_mask, batch.action_mask, self._temperature(objective)
            )
            if objective == "sft":
                output = nll_loss(scores.logp, batch.action_mask, denominator=denominator)
            else:
                old, reference = (
                    None if rows is None else _padded([rows[i] for i in indices], scores.logp)
                    for rows in (old_logprobs, ref_logprobs)
                )
                output = self._policy_loss(scores.logp, batch, old, reference, denominator)
            # DeepSpeed averages over ranks, groups that share an episode counting as one: times their number it is a
            # sum, and the denominator is already global. Each of a group's ranks gives the whole loss.
            self._engine.backward(output.loss * (self._world_size / self._split**2))
            parts = output.stats | {"loss": float(output.loss.detach()), "entropy": float(scores.entropy.sum())}
            totals = {key: totals.get(key, 0.0) + value for key, value in parts.items()}
            self._collect(scores, indices, samples, logprobs)
        self._engine.step()
        grad_norm = float(self._engine.get_global_grad_norm())
        totals = dict(zip(sorted(totals), self._sum([totals[key] for key in sorted(totals)]), strict=True))
        seconds = time.monotonic() - started
        stats = {name.removeprefix("actor/"): value for name, value in reduce_stats([totals]).items()} | {
            "loss": totals["loss"],
            "grad_norm": grad_norm,
            "entropy": totals["entropy"] / num_actions,
            "tokens": num_tokens,
            "action_tokens": num_actions,
            "seconds": seconds,
            "tokens_per_second": num_tokens / seconds,
        }
        return Learnt(stats, logprobs)

    def logprobs(self, samples: Sequence[TrainSample], temperature: float | None = None) -> list[list[float]]:
        """(collective) Log-prob of every action token, nats, 0.0 elsewhere; one list a sample, as long as its tokens.

        `temperature`: None is grpo.temperature, what `update` uses.
        """
        return self._logprobs(
            self._engine, samples, self._temperature("policy") if temperature is None else temperature
        )

    def reference_logprobs(self, samples: Sequence[TrainSample]) -> list[list[float]]:
        """(collective) As `logprobs`, of the weights in the folder that this learner was started on, whatever has been
        learnt or loaded since."""
        with self._reference() as reference:
            return self._logprobs(reference, samples, self._temperature("policy"))

    def export_weights(self, version: int, folder: Path) -> WeightsRef | None:
        """(collective) Rank 0 publishes the weights as policy `version`; the others help to gather and return None."""
        tensors = self._named_tensors("cpu")
        if self._rank == 0:
            return publish(tensors, version, folder)
        deque(tensors, maxlen=0)
        return None

    def weight_headers(self) -> tuple[TensorHeader, ...]:
        """What `broadcast` sends, in its order."""
        return tuple(
            TensorHeader(
                name,
                str(weight.base.dtype).removeprefix("torch."),
                tuple(getattr(weight.base, "ds_shape", weight.base.shape)),
            )
            for name, weight in weights(self._policy.model)
        )

    def broadcast(self, broadcast: Broadcast) -> None:
        """(collective) Rank 0 sends the weights to the engines' workers; the others help to gather."""
        tensors = self._named_tensors(self._device)
        if self._rank:
            deque(tensors, maxlen=0)
            return
        if self._sender is None or self._sender.address != broadcast.address:
            if self._sender is not None:
                self._sender.close()
            self._sender = Sender(broadcast, transport(self._config))
        self._sender.send(tensors)

    def save_pretrained(self, folder: Path) -> None:
        """(collective) Rank 0 writes a Hugging Face folder, safetensors and tokenizer, whole or not at all."""
        tensors = dict(self._named_tensors("cpu"))
        if self._rank == 0:
            with replace_folder(folder) as partial, writing_tensors(folder):
                self._policy.model.save_pretrained(partial, state_dict=tensors, safe_serialization=True)
                self._tokenizer.save_pretrained(partial)
        self._barrier()

    def save_checkpoint(self, folder: Path) -> None:
        """(collective) This rank's weights and optimiser state into `folder`, which the caller makes atomic."""
        save_state(self._engine.optimizer, folder / f"learner-{self._rank}.safetensors", self._facts)
        self._barrier()

    def load_checkpoint(self, folder: Path) -> None:
        """(collective) Back to what `save_checkpoint` wrote, on as many ranks. Raises DataError."""
        load_state(self._engine.optimizer, folder / f"learner-{self._rank}.safetensors", self._facts)
        self._barrier()

    @property
    def _facts(self) -> dict[str, str]:
        learner = self._config.learner
        return {
            "learner.ranks": str(self._world_size),
            "learner.zero_stage": str(learner.zero_stage),
            "learner.lora_rank": str(learner.lora_rank),
            "model.dtype": self._config.model.dtype,
        }

    def close(self) -> None:
        """Leave the process group."""
        if dist.is_initialized():
            dist.destroy_process_group()

    @property
    def _policy(self) -> ActionLogProbs:
        policy: ActionLogProbs = self._engine.module
        return policy

    def _network(self) -> Any:
        """The transformers model in the folder, as it is there."""
        dtype = getattr(torch, self._config.model.dtype)
        return AutoModelForCausalLM.from_pretrained(
            self._folder, dtype=dtype, attn_implementation="sdpa", trust_remote_code=False
        )

    def _scorer(self, network: Any, *, gradient_checkpointing: bool = False) -> ActionLogProbs:
        if self._mpu is None:
            ragged = self._config.device == "cpu"
            return ActionLogProbs(network, gradient_checkpointing=gradient_checkpointing, ragged=ragged)
        group = self._mpu.get_sequence_parallel_group()
        return SplitActionLogProbs(network, group, gradient_checkpointing=gradient_checkpointing)

    @contextmanager
    def _reference(self) -> Iterator[Callable[..., Scores]]:
        """The model that GRPO starts from. Adapters are all that is trained, so without them it is the model itself."""
        if self._config.learner.lora_rank:
            with without_adapters(self._policy.model):
                yield self._engine
        else:
            yield self._frozen

    @cached_property
    def _frozen(self) -> Callable[..., Scores]:
        """(collective) A copy that is never trained; its weights are shared out as the policy's are."""
        network = self._network()
        network.requires_grad_(False)
        frozen: Callable[..., Scores] = self._scorer(network).to(self._device)
        if self._config.learner.zero_stage == 3:
            sharded = deepspeed_config(self._config)
            del sharded["optimizer"]
            frozen, *_ = deepspeed.initialize(mpu=self._mpu, model=frozen, config=sharded)
        return frozen

    @torch.no_grad()
    def _logprobs(
        self, scorer: Callable[..., Scores], samples: Sequence[TrainSample], temperature: float
    ) -> list[list[float]]:
        results: list[list[float]] = [[] for _ in samples]
        for indices in self._rounds(self._micro_batches(samples)):
            batch = self._batch([samples[i] for i in indices])
            scores = scorer(batch.input_ids, batch.attention_mask, batch.action_mask, temperature)
            self._collect(scores, indices, samples, results)
        return results

    @staticmethod
    def _collect(
        scores: Scores, indices: list[int], samples: Sequence[TrainSample], results: list[list[float]]
    ) -> None:
        """Put the log-probs of one micro-batch where its samples are."""
        for row, index in enumerate(indices):
            results[index] = scores.logp[row, : len(samples[index].token_ids)].tolist()

    def _policy_loss(
        self,
        logp: torch.Tensor,
        batch: MicroBatch,
        old: torch.Tensor | None,
        reference: torch.Tensor | None,
        denominator: float,
    ) -> LossOutput:
        grpo = self._config.grpo
        coupled = grpo.ratio == "coupled"  # the ratio itself then shows how far the sampler is, as actor/approx_kl
        own = logp.detach() if old is None else old
        return policy_loss(
            logp,
            batch.rollout_logp if coupled else own,
            batch.advantages,
            batch.action_mask,
            clip_low=grpo.clip_low,
            clip_high=grpo.clip_high,
            aggregation=grpo.aggregation,
            rollout_logp=None if coupled else batch.rollout_logp,
            correction=correction_of(grpo.correction),
            dual_clip=grpo.dual_clip,
            normaliser=grpo.normaliser,
            ref_logp=reference,
            kl=grpo.kl if reference is not None else 0.0,
            denominator=denominator,
        )

    def _temperature(self, objective: Objective) -> float:
        return 1.0 if objective == "sft" else self._config.grpo.temperature

    def _batch(self, samples: list[TrainSample]) -> MicroBatch:
        batch = collate(samples, self._pad_id) if samples else empty_micro_batch(self._pad_id)
        return batch.to(self._device)

    def _micro_batches(self, samples: Sequence[TrainSample]) -> list[list[int]]:
        budget = 1 if self._split > 1 else self._config.learner.micro_batch_tokens  # Ulysses: one episode at a time
        return micro_batches(samples, budget, ragged=self._policy.ragged)

    def _rounds(self, groups: list[list[int]]) -> Iterator[list[int]]:
        """This rank's micro-batches, then empty ones until the rank with most is done."""
        most = groups
        if self._world_size > 1:
            count = torch.tensor(len(groups), device=self._device)
            dist.all_reduce(count, op=dist.ReduceOp.MAX)
            most = groups + [[]] * (int(count) - len(groups))
        yield from most

    def _sum(self, values: list[float]) -> list[float]:
        """Over all ranks; those that share an episode count as one."""
        if self._world_size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=self._device)
        dist.all_reduce(total)
        return [float(value) / self._split for value in total]

    def _barrier(self) -> None:
        if self._world_size > 1:
            dist.barrier()

    def _set_optimiser(self, lr: float, weight_decay: float) -> None:
        for group in self._engine.optimizer.param_groups:
            group["lr"] = lr
            group["weight_decay"] = weight_decay

    def _named_tensors(self, device: torch.device | str) -> Iterator[tuple[str, torch.Tensor]]:
        """Names as in the Hugging Face folder, one name for tied tensors, on `device`; one gathered at a time.

        Ranks other than 0 must go through it as well, and get nothing.
        """
        for name, weight in weights(self._policy.model):
            sharded = hasattr(weight.base, "ds_id")
            with deepspeed.zero.GatheredParameters(weight.parameters) if sharded else nullcontext():
                tensor = weight.merged().to(device, copy=sharded) if self._rank == 0 else None
            if tensor is not None:
                yield name, tensor


def _padded(rows: list[list[float]], like: torch.Tensor) -> torch.Tensor:
    padded = torch.zeros_like(like)
    for row, values in enumerate(rows):
        padded[row, : len(values)] = torch.tensor(values, device=like.device)
    return padded
