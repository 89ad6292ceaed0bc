"""The inference pool: vLLM engines behind the one `generate` that the rest of the system knows.

waits for                          unblocked by
a caller: a completion             an engine, within pool.request_timeout_s over all attempts
the driver: an update              all engines that live, within pool.start_timeout_s
the watch: a sign of life          an engine, within pool.stuck_after_s; one that gives none is started again
"""

import asyncio
import itertools
import os
import sys
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from tqdm import tqdm

from actors import placement
from actors.broadcast import Broadcast
from actors.engine import EngineActor, Pulse, kill_engine
from actors.learner import LearnerGroup
from actors.seats import engine_names
from actors.signs import Sign
from actors.weights import WeightsRef, as_objects, pretrained_weights
from medrl.config import Config
from medrl.deadlines import within
from medrl.errors import InfrastructureError, LearnerLost, Stalled
from medrl.types import Completion, Sampling

STICKY_EPISODES = 16_384
"""Episodes whose engine a handle remembers."""
PING_EVERY_S = 1.0
SETTLE_S = 5.0
"""How long an engine may take over a ping; and after one member of a broadcast has failed, the others over theirs."""
RETRY_AFTER_S = 0.5
MOST_STARTS = 3
"""Times `pool.start_timeout_s` that an engine may be dead before the run is given up."""


@dataclass(frozen=True, slots=True)
class Update:
    """What the engines are to hold. `serial` counts updates, as versions may go back to a checkpoint's."""

    ref: WeightsRef
    serial: int


class InferencePool:
    """A handle on all engines: plain data, so it can be sent to rollout workers. Each copy balances its own requests.

    Requests of one episode (`<episode>/<turn>`) go to one engine, which holds their prefix, as long as it lives.
    """

    def __init__(self, config: Config, model: Path) -> None:
        """Start the engines on the Hugging Face folder `model`. Raises Stalled after pool.start_timeout_s."""
        needs = placement.placed(config)
        self._names = engine_names(config)
        self._timeout_s = config.pool.request_timeout_s
        self._start_timeout_s = config.pool.start_timeout_s
        self._stuck_after_s = config.pool.stuck_after_s
        self._broadcasts = config.pool.weight_transfer == "broadcast"
        self._workers = config.pool.tensor_parallel  # of each engine
        self._together = config.pool.max_sequences
        self._watched = False
        self._engines: list[Any] = [
            EngineActor.options(**needs[name].options).remote(config, model) for name in self._names
        ]
        self._pulses = [Pulse("", 0, False, -1, 0.0)] * config.pool.engines
        self._update = Update(pretrained_weights(model, 0), 0)
        self._serial = 0  # of the last update that was begun; none is used twice
        self._forget_requests()
        self._start()

    def __getstate__(self) -> dict[str, Any]:
        copied = dict(self.__dict__)
        for name in ("_load", "_sticky", "_attempts", "_down", "_sent", "_met"):
            del copied[name]
        return copied

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._forget_requests()

    async def generate(self, token_ids: list[int], *, sampling: Sampling, request_id: str) -> Completion:
        """`medrl.types.Generate`. A request whose engine dies is made again, there or elsewhere.

        Raises Stalled, naming the engine, when pool.request_timeout_s have passed.
        """
        deadline = time.monotonic() + self._timeout_s
        failure = "is busy"
        index = -1
        while (left := deadline - time.monotonic()) > 0:
            index = self._route(request_id)
            self._load[index] += 1
            unique_id = f"{request_id}#{os.getpid()}-{next(self._attempts)}"
            reference = self._engines[index].generate.remote(token_ids, sampling, unique_id)
            try:
                return await within(left, asyncio.wrap_future(reference.future()))
            except asyncio.CancelledError:
                ray.cancel(reference)
                raise
            except TimeoutError:
                ray.cancel(reference)
            except (RayActorError, RayTaskError) as error:
                cause = getattr(error, "cause", None)
                if isinstance(cause, (ValueError, TypeError)):  # a mistake of ours
                    raise cause from error
                failure = f"failed: {str(error).strip().splitlines()[-1]}"
                if index not in self._down:
                    self._down[index] = asyncio.create_task(self._until_armed(index))
                await asyncio.sleep(RETRY_AFTER_S)
            finally:
                self._load[index] -= 1
        raise Stalled(f"{self._names[index]} did not complete {request_id} in {self._timeout_s:.0f} s; it {failure}")

    async def update_weights(self, ref: WeightsRef) -> dict[str, float]:
        """Give every engine the weights of `ref`, under the requests that run.

        An engine that is dead, or dies over it, gets them when it has been started again, before it answers anybody.
        Returns `sync/*` metrics: seconds in all, longest pause of an engine, bytes.
        """
        begun = time.monotonic()
        self._update = Update(ref, self._next_serial())
        paused = await asyncio.gather(*(self._load_weights(index) for index in range(len(self._engines))))
        return {
            "sync/seconds": time.monotonic() - begun,
            "sync/paused_s": max(paused),
            "sync/bytes": float(ref.num_bytes),
        }

    async def follow(self, learner: LearnerGroup, version: int) -> dict[str, float]:
        """Give every engine the learner's weights as policy `version`, by pool.weight_transfer.

        Returns what `update_weights` does. A broadcast reaches the engines that are up; then the weights are published
        for those that were not. Raises LearnerLost if it hung on an engine that died: the learner hangs with it.
        """
        if not self._broadcasts:
            return await self.update_weights(await learner.export_weights(version))
        begun = time.monotonic()
        serial = self._next_serial()
        up = await self._up()
        broadcast = await self._meet(learner, up)
        sending = asyncio.create_task(learner.broadcast(broadcast))
        receiving = {
            asyncio.create_task(
                _awaited(
                    self._engines[index].receive_weights.remote(broadcast, 1 + place * self._workers, serial, version)
                )
            ): index
            for place, index in enumerate(up)
        }
        calls = {sending, *receiving}
        _, late = await asyncio.wait(calls, timeout=self._start_timeout_s, return_when=asyncio.FIRST_EXCEPTION)
        if late:  # if one failed, the calls of the others fail with it over Gloo, and hang over NCCL
            sent = sending not in late and sending.exception() is None
            _, late = await asyncio.wait(late, timeout=self._start_timeout_s if sent else SETTLE_S)
        failed = [call for call in receiving if call in late or call.exception()]
        for call in failed:
            why = "hung" if call in late else str(call.exception()).strip().splitlines()[-1]
            self._kill(receiving[call], f"did not receive weights: {why}")
            call.cancel()
        if failed or late:
            self._met = None
        if sending in late:
            sending.cancel()
            raise LearnerLost("learner: a broadcast of weights hung")
        if error := sending.exception():
            raise LearnerLost(f"learner: a broadcast of weights failed: {error}") from error
        paused = max((call.result() for call in receiving if call not in failed), default=0.0)
        self._update = Update(await learner.export_weights(version), serial)
        await asyncio.gather(*(self._load_weights(index) for index in range(len(self._engines))))  # who missed it
        return {
            "sync/seconds": time.monotonic() - begun,
            "sync/paused_s": paused,
            "sync/bytes": float(broadcast.num_bytes),
        }

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    async def _up(self) -> list[int]:
        """The engines that could take part in a broadcast now."""
        pings = (within(SETTLE_S, engine.ping.remote()) for engine in self._engines)
        found = await asyncio.gather(*pings, return_exceptions=True)
        for index, pulse in enumerate(found):
            if isinstance(pulse, Pulse):
                self._pulses[index] = pulse
        return [index for index, pulse in enumerate(found) if isinstance(pulse, Pulse) and pulse.armed]

    async def _meet(self, learner: LearnerGroup, up: list[int]) -> Broadcast:
        """The group of this learner and these engines; a new one if any of them is another than last time."""
        lives = (learner, *(self._pulses[index].process for index in up))
        if self._met is None or self._met[0] != lives:
            size = 1 + len(up) * self._workers
            self._met = lives, Broadcast(await learner.free_address(), size, await learner.weight_headers())
        return self._met[1]

    def load(self, model: Path, version: int = 0) -> None:
        """Take the weights of a Hugging Face folder of the same architecture; outside an event loop."""
        asyncio.run(self.update_weights(pretrained_weights(model, version)))

    async def watch(self) -> None:
        """Until cancelled: engines that die or hang are started again, with the weights that are due then.

        Raises InfrastructureError when one cannot be started.
        """
        self._watched = True
        try:
            async with asyncio.TaskGroup() as group:
                for index in range(len(self._engines)):
                    group.create_task(self._tend(index))
        except ExceptionGroup as failed:  # the others were cancelled
            raise failed.exceptions[0] from None
        finally:
            self._watched = False

    def pulses(self) -> dict[str, Pulse]:
        """The last sign of life of every engine, by name; asked for only under `watch`."""
        return dict(zip(self._names, self._pulses, strict=True))

    def signs(self) -> dict[str, Sign]:
        """As `pulses`; without figures unless they are watched. What an engine does not decode yet waits in it."""
        if not self._watched:
            return {name: Sign(pulse.work.age_s, pulse.armed) for name, pulse in self.pulses().items()}
        return {
            name: Sign(
                pulse.work.age_s,
                pulse.armed,
                {
                    "requests_running": min(pulse.work.under_way, self._together),
                    "requests_waiting": max(0, pulse.work.under_way - self._together),
                    "policy_version": pulse.version,
                },
                pulse.tokens,
            )
            for name, pulse in self.pulses().items()
        }

    def close(self) -> None:
        """Stop the engines and their processes."""
        for engine in self._engines:
            with suppress(RayActorError, RayTaskError, GetTimeoutError):  # it is killed next
                ray.get(engine.shutdown.remote(), timeout=30)
            ray.kill(engine)

    def _start(self) -> None:
        """Until all have started; one that dies over it starts again."""
        deadline = time.monotonic() + self._start_timeout_s
        pending = {engine.start.remote(): index for index, engine in enumerate(self._engines)}
        while pending:
            ready, _ = ray.wait(list(pending), timeout=max(0.0, deadline - time.monotonic()))
            if not ready:
                names = ", ".join(self._names[index] for index in pending.values())
                raise Stalled(f"{names} did not start in {self._start_timeout_s:.0f} s")
            for reference in ready:
                index = pending.pop(reference)
                try:
                    self._pulses[index] = ray.get(reference)
                except RayActorError:
                    time.sleep(RETRY_AFTER_S)
                    pending[self._engines[index].start.remote()] = index
                except RayTaskError as error:
                    raise _as_infrastructure(error, self._names[index]) from error

    async def _tend(self, index: int) -> None:
        engine, name = self._engines[index], self._names[index]
        well, why = time.monotonic(), "it does not start"
        while True:
            await asyncio.sleep(PING_EVERY_S)
            if time.monotonic() - well > MOST_STARTS * self._start_timeout_s:
                raise InfrastructureError(f"{name} has been dead for {time.monotonic() - well:.0f} s: {why}")
            try:
                pulse: Pulse = await within(self._stuck_after_s, engine.ping.remote())
                self._pulses[index] = pulse
                if not pulse.armed:
                    await within(self._start_timeout_s, engine.start.remote())
                    await self._load_weights(index)
                    tqdm.write(f"{name} had died and was started again", file=sys.stderr)
                elif pulse.serial < self._update.serial:  # an update did not reach it
                    await self._load_weights(index)
                elif pulse.silent_s > self._stuck_after_s:
                    self._kill(index, f"has ended no request for {pulse.silent_s:.0f} s")
                else:
                    well = time.monotonic()
            except TimeoutError:
                self._kill(index, f"gave no sign of life for {self._stuck_after_s:.0f} s")
            except RayActorError:
                pass  # Ray is starting it again
            except InfrastructureError as error:  # its weights went with their learner: the next update brings others
                why = str(error)
            except RayTaskError as error:
                self._kill(index, f"did not start: {str(error).strip().splitlines()[-1]}")

    def _kill(self, index: int, why: str) -> None:
        tqdm.write(f"{self._names[index]} {why}; it is started again", file=sys.stderr)
        ray.kill(self._engines[index], no_restart=False)
        there = NodeAffinitySchedulingStrategy(self._pulses[index].node, soft=False)
        kill_engine.options(scheduling_strategy=there).remote(self._pulses[index].process)

    async def _load_weights(self, index: int) -> float:
        """Seconds that the engine was paused; 0 for one that died over it, which the watch will arm."""
        update, engine = self._update, self._engines[index]
        away = update.ref.node and self._pulses[index].node != update.ref.node
        objects = self._objects(update) if away else []
        try:
            call = engine.load_weights.remote(update.ref, update.serial, objects)
            paused: float = await within(self._start_timeout_s, call)
        except TimeoutError:
            self._kill(index, f"did not load weights in {self._start_timeout_s:.0f} s")
        except RayActorError:
            pass  # dead: see above
        except RayTaskError as error:
            if isinstance(error.cause, InfrastructureError):  # the weights are at fault, not the engine
                raise error.cause from error
            self._kill(index, f"did not load weights: {str(error).strip().splitlines()[-1]}")
        else:
            return paused
        return 0.0

    def _objects(self, update: Update) -> list[Any]:
        """Its files as Ray objects, the same ones for all engines: they cross to each node once."""
        if self._sent[0] != update.serial:
            self._sent = update.serial, as_objects(update.ref)
        return self._sent[1]

    def _route(self, request_id: str) -> int:
        """The episode's engine, else the one with least to do; one that failed and is not back only if all did."""
        episode, _, _ = request_id.rpartition("/")
        index = self._sticky.pop(episode, None) if episode else None
        if index is None or (index in self._down and len(self._down) < len(self._engines)):
            up = [index for index in range(len(self._engines)) if index not in self._down] or range(len(self._engines))
            index = min(up, key=lambda each: self._load[each])
        if episode:
            self._sticky[episode] = index
            while len(self._sticky) > STICKY_EPISODES:
                self._sticky.popitem(last=False)
        return index

    async def _until_armed(self, index: int) -> None:
        """Keep requests from an engine that failed, until it says that it answers again."""
        try:
            while True:
                await asyncio.sleep(RETRY_AFTER_S)
                with suppress(RayActorError, RayTaskError, TimeoutError):  # dead, or being started
                    if (await within(SETTLE_S, self._engines[index].ping.remote())).armed:
                        return
        finally:
            del self._down[index]

    def _forget_requests(self) -> None:
        self._load = [0] * len(self._engines)
        self._sticky: OrderedDict[str, int] = OrderedDict()
        self._down: dict[int, asyncio.Task[None]] = {}
        self._attempts = itertools.count()
        self._sent: tuple[int, list[Any]] = (-1, [])
        self._met: tuple[tuple[Any, ...], Broadcast] | None = None


async def _awaited(reference: Any) -> Any:
    """A Ray object as a coroutine, which a task can be made of."""
    return await reference


def _as_infrastructure(error: Exception, name: str) -> Exception:
    """A mistake of ours stays what it is; everything else under an engine is an outage."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, (ValueError, TypeError, InfrastructureError)):
        return cause
    return InfrastructureError(f"{name}: {str(error).strip().splitlines()[-1]}")
