"""The learner's Ray actors, one a DeepSpeed rank, and the driver's handle on all of them.

waits for                         unblocked by
a rank: the other ranks           the collectives of the same call on them
the driver: all ranks             their results, within learner.step_timeout_s
"""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from actors import placement
from actors.broadcast import Broadcast, TensorHeader
from actors.failures import actor_died, unheard
from actors.rendezvous import Learnt, Objective, Rendezvous, free_address
from actors.seats import rank_names
from actors.signs import Sign
from actors.weights import WeightsRef, pretrained_weights, remove_folder, weights_folder
from medrl.config import Config
from medrl.errors import LearnerLost
from medrl.packing import TrainSample, shards

SETTLE_S = 5.0
"""After one rank has failed: how long the others may take to tell that they have too."""


@ray.remote
class LearnerRank:
    """One rank, in a process of its own. See `Learner` for the methods."""

    def start(self, config: Config, model: Path, rendezvous: Rendezvous) -> None:
        from actors.deepspeed_learner import Learner  # DeepSpeed, which the driver does without

        self._learner = Learner(config, model, rendezvous)

    def node(self) -> str:
        """Id of the Ray node it is on."""
        node: str = ray.get_runtime_context().get_node_id()
        return node

    def free_address(self) -> str:
        """host:port of this node at which nobody listens yet."""
        return free_address(ray.util.get_node_ip_address())

    def weights_folder(self, run: str, num_bytes: int) -> Path:
        """As in actors/weights.py, on this node, owned by this process."""
        return weights_folder(run, num_bytes)

    def call(self, method: str, *arguments: Any) -> Any:
        """A method of `Learner`, or of this actor."""
        return getattr(self if hasattr(self, method) else self._learner, method)(*arguments)


class LearnerGroup:
    """The driver's handle: splits samples over the ranks and adds up what they return.

    Every call raises LearnerLost, naming the ranks, when one dies or none answers for learner.step_timeout_s: what the
    others hold is of no use then, and a new group goes on from a checkpoint.
    """

    def __init__(self, config: Config, model: Path, *, alone: bool = False) -> None:
        """Start the ranks on the Hugging Face folder `model`. `alone`: nothing is played while they learn."""
        needs = placement.placed(config, alone=alone)
        self._timeout_s = config.learner.step_timeout_s
        self._split = config.learner.sequence_parallel
        self._names = rank_names(config)
        self._answers = 0
        self._ranks: list[Any] = [LearnerRank.options(**needs[name].options).remote() for name in self._names]
        self._node, self._weights_folder = "", Path()
        try:
            store = self._meeting_place(config.name, pretrained_weights(model, 0).num_bytes)
            places = [Rendezvous(store, rank, len(self._ranks)) for rank in range(len(self._ranks))]
            self._wait_for_all(
                [actor.start.remote(config, model, place) for actor, place in zip(self._ranks, places, strict=True)]
            )
        except BaseException:
            self.close()
            raise

    async def update(
        self,
        samples: Sequence[TrainSample],
        objective: Objective,
        lr: float,
        old_logprobs: Sequence[list[float]] | None = None,
        denominator: float | None = None,
        ref_logprobs: Sequence[list[float]] | None = None,
    ) -> Learnt:
        """One optimiser step over `samples`; see `Learner.update`. The log-probs are in the order of `samples`."""
        parts = self._parts(samples)

        def share(rows: Sequence[list[float]] | None, part: list[int]) -> list[list[float]] | None:
            return None if rows is None else [rows[i] for i in part]

        results: list[Learnt] = await self._each(
            "update",
            [
                (
                    [samples[i] for i in part],
                    objective,
                    lr,
                    share(old_logprobs, part),
                    denominator,
                    share(ref_logprobs, part),
                )
                for part in parts
            ],
        )
        return Learnt(results[0].stats, _in_order(parts, [each.logprobs for each in results]))

    async def logprobs(self, samples: Sequence[TrainSample], temperature: float | None = None) -> list[list[float]]:
        """Log-prob of every action token under the current weights, nats, in the order of `samples`."""
        parts = self._parts(samples)
        results = await self._each("logprobs", [([samples[i] for i in part], temperature) for part in parts])
        return _in_order(parts, results)

    async def reference_logprobs(self, samples: Sequence[TrainSample]) -> list[list[float]]:
        """As `logprobs`, under the weights that this group was started on."""
        parts = self._parts(samples)
        results = await self._each("reference_logprobs", [([samples[i] for i in part],) for part in parts])
        return _in_order(parts, results)

    async def export_weights(self, version: int) -> WeightsRef:
        """Publish the weights as policy `version`, for `InferencePool.update_weights`."""
        ref: WeightsRef = (await self._all("export_weights", version, self._weights_folder))[0]
        return replace(ref, node=self._node)

    async def weight_headers(self) -> tuple[TensorHeader, ...]:
        """What `broadcast` sends, in its order."""
        headers: tuple[TensorHeader, ...] = (await self._all("weight_headers"))[0]
        return headers

    async def free_address(self) -> str:
        """host:port of rank 0's node at which nobody listens yet."""
        address: str = (await self._all("free_address"))[0]
        return address

    async def broadcast(self, broadcast: Broadcast) -> None:
        """Send the weights to the engines that meet there."""
        await self._all("broadcast", broadcast)

    async def save_pretrained(self, folder: Path) -> None:
        """Write a Hugging Face folder, whole or not at all."""
        await self._all("save_pretrained", folder)

    async def save_checkpoint(self, folder: Path) -> None:
        """Weights and optimiser into `folder`, a file a rank; the caller makes it atomic."""
        await self._all("save_checkpoint", folder)

    async def load_checkpoint(self, folder: Path) -> None:
        """Back to what `save_checkpoint` wrote. Raises DataError if that was for other ranks, or cannot be read."""
        await self._all("load_checkpoint", folder)

    def signs(self) -> dict[str, Sign]:
        """The ranks are heard of together, when they have done what they were asked."""
        return {name: Sign(self._answers) for name in self._names}

    def close(self) -> None:
        """Stop the ranks and remove the published weights."""
        for actor in self._ranks:
            ray.kill(actor)
        if self._node:
            remove_folder(self._weights_folder, self._node)

    def _meeting_place(self, run: str, num_bytes: int) -> Path | str:
        """A file where all ranks are on one node, else an address of rank 0."""
        nodes = self._wait_for_all([rank.node.remote() for rank in self._ranks])
        [self._weights_folder] = self._wait_for_all([self._ranks[0].weights_folder.remote(run, num_bytes)])
        self._node = nodes[0]
        if len(set(nodes)) == 1:
            return self._weights_folder / "rendezvous"
        [address] = self._wait_for_all([self._ranks[0].free_address.remote()])
        return str(address)

    def _wait_for_all(self, starting: list[Any]) -> list[Any]:
        """While the ranks start, outside an event loop. One that fails ends the wait; if another died, that is why."""
        pending, failed = list(starting), []
        while pending and not failed:
            ready, pending = ray.wait(pending, timeout=self._timeout_s)
            if not ready:
                late = ", ".join(self._names[starting.index(reference)] for reference in pending)
                raise LearnerLost(f"{late} did not start in {self._timeout_s:.0f} s")
            failed = [reference for reference in ready if _failure(reference) is not None]
        if failed:
            if pending:
                failed += ray.wait(pending, num_returns=len(pending), timeout=SETTLE_S)[0]
            failures = {reference: _failure(reference) for reference in failed}
            for reference, failure in failures.items():
                if isinstance(failure, RayActorError):
                    name = self._names[starting.index(reference)]
                    raise LearnerLost(str(actor_died(name, failure, "start"))) from failure
            for failure in failures.values():
                if isinstance(failure, RayTaskError):
                    raise failure.cause from failure
        return [ray.get(reference) for reference in starting]

    def _parts(self, samples: Sequence[TrainSample]) -> list[list[int]]:
        """Each rank's share of the samples; ranks that hold slices of the same episodes have the same."""
        parts = shards(samples, len(self._ranks) // self._split)
        return [parts[rank // self._split] for rank in range(len(self._ranks))]

    async def _all(self, method: str, *arguments: Any) -> list[Any]:
        return await self._each(method, [arguments] * len(self._ranks))

    async def _each(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call every rank with its own arguments. One that fails ends the wait: the others block in a collective."""
        calls = [
            asyncio.wrap_future(actor.call.remote(method, *own).future())
            for actor, own in zip(self._ranks, arguments, strict=True)
        ]
        names = dict(zip(calls, self._names, strict=True))
        done, late = await asyncio.wait(calls, timeout=self._timeout_s, return_when=asyncio.FIRST_EXCEPTION)
        if late and any(call.exception() for call in done):
            # Where a rank dies the collectives of the others fail, and that may be heard of first.
            settled, late = await asyncio.wait(late, timeout=SETTLE_S)
            done |= settled
        failures = {call: error for call in calls if call in done and (error := call.exception())}
        for call in late:
            call.add_done_callback(unheard)
        for call, error in failures.items():
            if isinstance(error, RayActorError):
                raise LearnerLost(str(actor_died(names[call], error, method))) from error
        for error in failures.values():
            if isinstance(error, RayTaskError):
                raise error.cause from error
            raise error
        if late:
            blocking = ", ".join(sorted(names[call] for call in late))
            raise LearnerLost(f"{blocking} did not {method} in {self._timeout_s:.0f} s")
        self._answers += 1
        return [call.result() for call in calls]


def _in_order(parts: Sequence[list[int]], results: Sequence[list[list[float]]]) -> list[list[float]]:
    """Rows of the ranks, put back where `parts` took their samples from; ranks that share episodes agree."""
    found = dict(zip(itertools.chain(*parts), itertools.chain(*results), strict=True))
    return [found[index] for index in range(len(found))]


def _failure(reference: Any) -> RayTaskError | RayActorError | None:
    """Why a call that has ended failed; None if it did not."""
    try:
        ray.get(reference)
    except (RayTaskError, RayActorError) as error:
        return error
    return None
