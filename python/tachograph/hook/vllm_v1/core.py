"""EngineCore: the scheduler's queue, its steps and their outputs. Once per step, never once per token."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from tachograph.hook.point import Point
from tachograph.hook.vllm_config import engine_index, limit, served_model
from tachograph.hook.vllm_v1.sequence import described

if TYPE_CHECKING:
    from collections.abc import Callable

    from tachograph.hook.ring import Ring

IN_FLIGHT_MAX = 64
"""Steps whose outputs are outstanding: two with asynchronous scheduling, one per stage with pipeline parallelism."""

_SCHEDULER = ("vllm.v1.core.sched.scheduler", "Scheduler")


def core_points(ring: Ring) -> tuple[Point, ...]:
    """What is wrapped in the process that holds the Scheduler. Its subclasses call these by `super()` or inherit."""
    core = Core(ring)
    return (
        Point(*_SCHEDULER, "__init__", "everything in the engine core", after=core.made),
        Point(*_SCHEDULER, "add_request", "when sequences are queued", before=core.queueing, after=core.queued),
        Point(
            *_SCHEDULER,
            "schedule",
            "steps: their members, duration, running and waiting sequences, KV cache usage",
            before=core.scheduling,
            after=core.scheduled,
        ),
        Point(*_SCHEDULER, "_preempt_request", "preemptions", after=core.preempted),
        Point(
            *_SCHEDULER,
            "update_from_output",
            "tokens per sequence and step, ends of sequences, prefix cache queries and hits",
            after=core.updated,
        ),
        Point(
            *_SCHEDULER,
            "finish_requests",
            "sequences that the engine core ended on abort",
            before=core.finishing,
            after=core.finished,
        ),
    )


class Load(NamedTuple):
    """Queue lengths in sequences, and the share of the KV cache in use, 0 to 1."""

    running: int
    waiting: int
    deferred: int
    kv_usage: float


class Steps:
    """What we keep of one scheduler: its rank, its step count, and the numbers of steps without outputs yet."""

    __slots__ = ("_in_flight", "engine_index", "last", "load", "number")

    def __init__(self, engine_index: int, load: Callable[[Any], Load]) -> None:
        self.engine_index = engine_index
        self.load = load
        self.number = 0
        self.last: Load | None = None
        self._in_flight: dict[int, int] = {}

    def begin(self, output: Any) -> int:
        """Number a step and remember it by its SchedulerOutput, which is alive until its outputs arrive."""
        self.number += 1
        self._in_flight[id(output)] = self.number
        if len(self._in_flight) > IN_FLIGHT_MAX:
            del self._in_flight[next(iter(self._in_flight))]
        return self.number

    def end(self, output: Any) -> int | None:
        """The step's number; None for a step that was not worth a record."""
        return self._in_flight.pop(id(output), None)


class Core:
    """What the hooks of EngineCore do. Parameters after the known ones may come and go between versions."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._probe = ring.probe
        # The served model's name where nobody else names the sequences.
        self._served: str | None = None

    def made(self, _note: None, _result: None, scheduler: Any, *_args: Any, **_kwargs: Any) -> None:
        config = scheduler.vllm_config
        index = engine_index(config.parallel_config)
        scheduler._tachograph_steps = Steps(index, load_of(scheduler))
        self._ring.generation = "v1"
        self._ring.open("engine_core")
        self._served = served_model(config) if has_rust_front_end() else None
        self._probe.engine(
            engine_index=index,
            served_models=[served_model(config)],
            max_model_len=limit(config.model_config, "max_model_len"),
            max_num_seqs=limit(config.scheduler_config, "max_num_seqs"),
            max_num_batched_tokens=limit(config.scheduler_config, "max_num_batched_tokens"),
            num_gpu_blocks=limit(config.cache_config, "num_gpu_blocks"),
            block_size=limit(scheduler, "block_size") or limit(config.cache_config, "block_size"),
        )

    def queueing(self, scheduler: Any, request: Any, *_args: Any, **_kwargs: Any) -> int | None:
        """Sequences waiting before this one; None for a later piece of a streamed prompt."""
        if request.request_id in scheduler.requests:
            return None
        load: Load = scheduler._tachograph_steps.load(scheduler)
        return load.waiting + load.deferred

    def queued(
        self, depth: int | None, _result: None, scheduler: Any, request: Any, *_args: Any, **_kwargs: Any
    ) -> None:
        if depth is not None:
            if self._served is not None:
                self._add(request, self._served)
            self._probe.queued(request.request_id, scheduler._tachograph_steps.engine_index, depth)

    def _add(self, request: Any, served: str) -> None:
        self._probe.sequence_add(
            http_id=0,
            # Of the id that the client is told, EngineCore keeps what the front end made of it.
            external_id=request.request_id,
            parent_id="",
            index=0,
            **described(request, request.sampling_params, served, self._ring.content),
        )

    def scheduling(self, *_args: Any, **_kwargs: Any) -> int:
        start: int = self._probe.now_ns()
        return start

    def scheduled(self, start: int, output: Any, scheduler: Any, *_args: Any, **_kwargs: Any) -> None:
        steps: Steps = scheduler._tachograph_steps
        load = steps.load(scheduler)
        members = output.num_scheduled_tokens
        if not members and load == steps.last:
            steps.end(output)  # its identity may be that of a step whose outputs never came
            return
        steps.last = load
        self._probe.step(start, steps.engine_index, steps.begin(output), members, *load)

    def preempted(self, _note: None, _result: Any, scheduler: Any, request: Any, *_args: Any, **_kwargs: Any) -> None:
        self._probe.preempted(request.request_id, scheduler._tachograph_steps.engine_index)

    def updated(
        self, _note: None, result: Any, scheduler: Any, scheduler_output: Any, *_args: Any, **_kwargs: Any
    ) -> None:
        steps: Steps = scheduler._tachograph_steps
        number = steps.end(scheduler_output)
        if number is None:
            # An engine that waits, for KV blocks from afar say, goes round and round: that fills no ring.
            if not any(map(_says_something, result.values())):
                return
            number = steps.number
        if result:
            self._probe.step_outputs(steps.engine_index, number, result)

    def finishing(self, scheduler: Any, request_ids: Any, *_args: Any, **_kwargs: Any) -> list[str] | None:
        """Which of them are still to be finished: older versions do not say so themselves."""
        known = scheduler.requests
        if request_ids is None:
            request_ids = known
        elif isinstance(request_ids, str):
            request_ids = (request_ids,)
        elif not isinstance(request_ids, Collection):
            # An iterator can be read once, and that is the engine's turn.
            return None
        return [id_ for id_ in request_ids if id_ in known and not known[id_].is_finished()]

    def finished(
        self,
        ids: list[str] | None,
        result: Any,
        scheduler: Any,
        request_ids: Any,
        finished_status: Any,
        *_args: Any,
        **_kwargs: Any,
    ) -> None:
        if ids is None:
            ids = [one[0] if isinstance(one, tuple) else one.request_id for one in result or ()]
        if ids:
            reason = _REASONS.get(finished_status.name, "error")
            self._probe.finished(ids, scheduler._tachograph_steps.engine_index, reason)


_REASONS = {
    "FINISHED_STOPPED": "stop",
    "FINISHED_LENGTH_CAPPED": "length",
    "FINISHED_IGNORED": "length",
    "FINISHED_ABORTED": "abort",
    "FINISHED_REPETITION": "repetition",
}


def has_rust_front_end() -> bool:
    """Whether vLLM's Rust front end hands over the sequences, as `vllm serve` decides it: older versions have none."""
    settings = sys.modules.get("vllm.envs")
    if not getattr(settings, "VLLM_USE_RUST_FRONTEND", False):
        return False
    try:
        return bool(getattr(settings, "VLLM_RUST_FRONTEND_PATH", None))
    except FileNotFoundError:  # the engine's own, where there is no such program
        return False


def _says_something(outputs: Any) -> bool:
    """Whether an EngineCoreOutputs has outputs, or prefix cache queries that nobody would hear of again."""
    prefix = getattr(outputs.scheduler_stats, "prefix_cache_stats", None)
    return bool(outputs.outputs) or getattr(prefix, "queries", 0) > 0


def load_of(scheduler: Any) -> Callable[[Any], Load]:
    """How this version counts its queues, as its `make_stats` does."""
    if hasattr(scheduler, "deferred_waiting"):
        return _load_deferred
    if hasattr(scheduler, "skipped_waiting"):
        return _load_skipped
    return _load_waiting


def _load_deferred(scheduler: Any) -> Load:
    deferred = len(scheduler.deferred_waiting)
    waiting = len(scheduler.waiting) + len(scheduler.kv_holding_waiting) - deferred
    return Load(len(scheduler.running), waiting, deferred, scheduler.kv_cache_manager.usage)


def _load_skipped(scheduler: Any) -> Load:
    waiting, deferred = len(scheduler.waiting), len(scheduler.skipped_waiting)
    return Load(len(scheduler.running), waiting, deferred, scheduler.kv_cache_manager.usage)


def _load_waiting(scheduler: Any) -> Load:
    return Load(len(scheduler.running), len(scheduler.waiting), 0, scheduler.kv_cache_manager.usage)
